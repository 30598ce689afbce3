/**
 * The key of a model elsewhere: what the policy's command prints, else the environment, else the system's keyring where
 * `@napi-rs/keyring` is installed beside vp (service `vp`, account the provider's name). It is kept nowhere.
 */
import { VpError } from '../core/errors.ts'
import type { ModelSpec } from '../models/choose.ts'
import type { Kit } from './kit.ts'
import { printedSecret } from './printed-secret.ts'

/** Throws `model.auth` where the command prints none, or what is there is no key. */
export async function withKey(
  kit: Pick<Kit, 'env'>,
  spec: ModelSpec,
  command: readonly string[] | undefined,
  root: string,
  signal: AbortSignal,
): Promise<ModelSpec> {
  const key = command ? await printedSecret(kit, { argv: command, root, what: 'key', code: 'model.auth' }, signal) : (spec.apiKey ?? (await keyringKey(spec)))
  if (key === null) return spec
  // It becomes a header.
  if (!/^[\x21-\x7e]{1,8192}$/.test(key))
    throw new VpError('model.auth', `the key for ${spec.endpoint.host} holds characters that no key has`, { next: ['vp config show'] })
  return { ...spec, apiKey: key }
}

interface Keyring {
  readonly Entry: new (service: string, account: string) => { getPassword(): string | null }
}

/** null: no package, no keyring on this machine, or no such entry. */
export async function keyringKey({ provider, endpoint }: Pick<ModelSpec, 'provider' | 'endpoint'>): Promise<string | null> {
  if (endpoint.loopback) return null
  // A name that no bundler follows: who wants it installs it beside vp.
  const peer = '@napi-rs/keyring'
  try {
    const { Entry } = (await import(peer)) as Keyring
    return new Entry('vp', provider).getPassword()
  } catch {
    return null // the next place is asked, and in the end the person is told that there is no key
  }
}
