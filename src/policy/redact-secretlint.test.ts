/**
 * Whatever secretlint's recommended preset calls a secret (with ids enabled), our filter masks. The preset itself stays out
 * of the product: docs/decisions/0010. Names of its rules map to our labels, one row each.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lintSource } from '@secretlint/core'
import { creator, rules } from '@secretlint/secretlint-rule-preset-recommend'
import { POSITIONS, PRIVATE_KEYS, SECRET_KINDS } from '../../test/fixtures/secret-kinds.ts'
import { createRedactor } from './redact.ts'

const redact = createRedactor()
const RULE = '@secretlint/secretlint-rule-'
const mix = (length: number): string => 'aZ3kQ9xW7bR2mT5vY8cN1pL4sD6fG0hJ'.repeat(60).slice(0, length)
const hex = (length: number): string => '7c3f9a1e5b8d2046'.repeat(10).slice(0, length)
const join = (...parts: readonly string[]): string => parts.join('')

/** Rule of the preset → the labels under which we mask its findings. */
const LABELS: Readonly<Record<string, readonly string[]>> = {
  aws: ['AWS_ACCESS_KEY', 'AWS_SECRET_KEY', 'AWS_ACCOUNT_ID'],
  gcp: ['PRIVATE_KEY'],
  privatekey: ['PRIVATE_KEY'],
  npm: ['NPM_TOKEN', 'GITHUB_TOKEN', 'URL_TOKEN'],
  basicauth: ['URL_PASSWORD', 'URL_TOKEN'],
  slack: ['SLACK_TOKEN', 'SLACK_WEBHOOK'],
  sendgrid: ['SENDGRID_KEY'],
  shopify: ['SHOPIFY_TOKEN'],
  stripe: ['STRIPE_KEY'],
  github: ['GITHUB_TOKEN'],
  gitlab: ['GITLAB_TOKEN'],
  grafana: ['GRAFANA_TOKEN'],
  openai: ['OPENAI_API_KEY'],
  anthropic: ['ANTHROPIC_API_KEY'],
  groq: ['GROQ_API_KEY'],
  huggingface: ['HUGGING_FACE_TOKEN'],
  linear: ['LINEAR_KEY'],
  notion: ['NOTION_TOKEN'],
  '1password': ['ONEPASSWORD_TOKEN'],
  'database-connection-string': ['DB_CONNECTION'],
  'hashicorp-vault': ['VAULT_TOKEN'],
  vercel: ['VERCEL_TOKEN'],
  databricks: ['DATABRICKS_TOKEN'],
  docker: ['DOCKER_TOKEN'],
  figma: ['FIGMA_TOKEN'],
  cloudflare: ['CLOUDFLARE_TOKEN'],
  tailscale: ['TAILSCALE_KEY'],
}

/** Forms that the preset knows besides the kinds of the table. */
const FORMS: readonly string[] = [
  `AWS_ACCOUNT_ID=1234-5678-9012`,
  `aws_account_id: "123456789012"`,
  `AWS_SECRET_ACCESS_KEY="${mix(40)}"`,
  join('https://', mix(40), ':x-oauth-basic', '@github.com/owner/name.git'),
  `//registry.example.org/:_authToken=${mix(36)}`,
  `//registry.example.org/:_authToken=${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`,
  join('https://hooks.', 'slack.com/services/T', mix(8), '/B', mix(8), '/', mix(24)),
  join('xo', 'xp-1234-', mix(20), '-', mix(20)),
  join('mongodb', '+srv://app:', 'Hq7wZpL2', '@cluster0.example.net/app'),
  join('jdbc:mysql', '://app:', 'Hq7wZpL2', '@db:3306/app'),
  join('rk', '_live_', mix(40)),
  join('hv', 'b.', mix(150)),
  join('gh', 's_123_', mix(20), '.', mix(40), '.', mix(40)),
  join('shp', 'pa_', mix(40)),
  join('sk-', 'admin-', mix(58), 'T3Blbk', 'FJ', mix(58)),
  JSON.stringify({ type: 'service_account', private_key: (PRIVATE_KEYS[1]?.[1] ?? '') + '\n' }),
  ...PRIVATE_KEYS.map(([, pem]) => pem),
  // A header that a body has to follow somewhere: the preset takes 100 characters and more.
  join('-----BEGIN RSA PRIVATE', ' KEY-----\n', mix(64), '\n', mix(64), '\n', mix(40), '\n-----END RSA PRIVATE', ' KEY-----'),
]

interface Finding {
  readonly ruleId: string
  readonly range: readonly [number, number]
}

async function findings(content: string): Promise<readonly Finding[]> {
  const { messages } = await lintSource({
    source: { content, filePath: 'a.txt', ext: '.txt', contentType: 'text' },
    options: { config: { rules: [{ id: 'preset', rule: creator, rules: [{ id: `${RULE}aws`, options: { enableIDScanRule: true } }] }] } },
  } as never)
  return messages.filter((message) => message.type === 'message') as never
}

const texts = [...SECRET_KINDS.flatMap((kind) => Object.values(POSITIONS).map((write) => write(kind))), ...FORMS]

test('every finding of the preset is masked, under the label its rule maps to', async () => {
  const left: string[] = []
  const foundBy = new Set<string>()
  for (const text of texts) {
    const spans = redact.spans(text)
    for (const { ruleId, range } of await findings(text)) {
      const rule = ruleId.split('>').at(-1)?.trim().replace(RULE, '') ?? ''
      foundBy.add(rule)
      const found = text.slice(...range)
      const covers = spans.filter(({ from, to }) => from < range[1] && to > range[0])
      if (covers.length === 0) left.push(`${rule}: ${found.slice(0, 60)}`)
      else if (!covers.some(({ label }) => [...(LABELS[rule] ?? []), 'ENV_SECRET'].includes(label)))
        left.push(`${rule} as ${covers.map(({ label }) => label).join()}`)
    }
  }
  assert.deepEqual([...new Set(left)], [])
  const silent = Object.keys(LABELS).filter((rule) => !foundBy.has(rule))
  assert.deepEqual(silent, ['gcp'], 'gcp is found by the private key it holds')
})

test('every rule of the preset has its row', () => {
  const ids = rules.map((rule) => rule.meta.id.replace(RULE, '')).filter((id) => id !== 'filter-comments')
  assert.deepEqual(Object.keys(LABELS).toSorted(), ids.toSorted())
})
