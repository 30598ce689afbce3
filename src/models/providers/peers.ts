/**
 * Models behind the doors of a cloud: Bedrock, Vertex, Azure, through the SDK's own providers. They are optional: whoever
 * uses one installs its package beside vp. Their keys and roles are looked up as the SDK documents it (AWS_*, Google's
 * application default credentials, AZURE_API_KEY).
 */
import type { LanguageModelV4 } from '@ai-sdk/provider'
import { VpError } from '../../core/errors.ts'
import type { ModelSpec } from '../choose.ts'
import type { OnSent, Provider } from '../contract.ts'
import { adaptLanguageModel } from './adapter.ts'
import { eventStreamFetch } from './event-stream.ts'
import type { ProviderOptions } from './index.ts'

type Make = (settings: object) => { languageModel(model: string): LanguageModelV4; chat?(model: string): LanguageModelV4 }

interface Peer {
  readonly name: string
  readonly packageName: string
  readonly make: string
  /** Of its streams, besides event streams. */
  readonly stream?: string
  settings(spec: ModelSpec): object
}

const given = (value: Readonly<Record<string, unknown>>) => Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null && one !== undefined))

const PEERS = {
  bedrock: {
    name: 'bedrock',
    packageName: '@ai-sdk/amazon-bedrock',
    make: 'createAmazonBedrock',
    stream: 'application/vnd.amazon.eventstream',
    settings: ({ baseUrl, apiKey, region }) => given({ baseURL: baseUrl, apiKey, region }),
  },
  vertex: {
    name: 'vertex',
    packageName: '@ai-sdk/google-vertex',
    make: 'createVertex',
    settings: ({ apiKey, region, project }) => given({ apiKey, location: region, project }),
  },
  azure: {
    name: 'azure',
    packageName: '@ai-sdk/azure',
    make: 'createAzure',
    settings: ({ baseUrl, apiKey }) => given({ baseURL: baseUrl, apiKey }),
  },
} as const satisfies Record<string, Peer>

/** Throws `model.none` with the package to install. */
async function open(peer: Peer, spec: ModelSpec, options: ProviderOptions): Promise<Provider> {
  let module: Record<string, Make>
  try {
    // By a name that no bundler follows.
    module = (await import(peer.packageName)) as Record<string, Make>
  } catch (cause) {
    throw new VpError('model.none', `${peer.name} needs the package ${peer.packageName}, which is not installed beside vp`, {
      cause,
      next: [`npm install --global ${peer.packageName}`, 'vp model list'],
    })
  }
  const make = module[peer.make]
  if (!make)
    throw new VpError('model.none', `${peer.packageName} is of a version that vp does not know: it has no ${peer.make}`, {
      next: [`npm install --global ${peer.packageName}@latest`],
    })
  const fetchFor = eventStreamFetch(spec.endpoint, options.proxyEnv, peer.stream)
  const modelFor = (onSent?: OnSent) => {
    const sdk = make({ ...peer.settings(spec), fetch: fetchFor(onSent) })
    return peer.name === 'azure' && sdk.chat ? sdk.chat(spec.model) : sdk.languageModel(spec.model)
  }
  modelFor() // what it lacks is said now, not at the first question
  return adaptLanguageModel(modelFor, { name: peer.name, model: spec.model, endpoint: spec.endpoint, ...options })
}

export const bedrock = (spec: ModelSpec, options: ProviderOptions): Promise<Provider> => open(PEERS.bedrock, spec, options)
export const vertex = (spec: ModelSpec, options: ProviderOptions): Promise<Provider> => open(PEERS.vertex, spec, options)
export const azure = (spec: ModelSpec, options: ProviderOptions): Promise<Provider> => open(PEERS.azure, spec, options)
