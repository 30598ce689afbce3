/**
 * Vendor patterns of contracts/policy.md section 6. Every repeat is bounded or starts at a word's edge, so that time is
 * linear in the text. The name-and-value rule needs a scanner and is in `redact-assignments.ts`.
 */

/** `from` and `to` are offsets of the secret itself; names around it stay. */
export interface Span {
  readonly from: number
  readonly to: number
  readonly label: string
}

interface Pattern {
  readonly label: string
  /** Global. The secret is group 1 where there is one, else the whole match. */
  readonly regex: RegExp
  readonly isSecret?: (secret: string) => boolean
}

const EDGE = '(?<![A-Za-z0-9_-])'
const hasDigit = (text: string): boolean => /\d/.test(text)

const PATTERNS: readonly Pattern[] = [
  { label: 'ANTHROPIC_API_KEY', regex: new RegExp(`${EDGE}sk-ant-[A-Za-z0-9_-]{20,}`, 'gi') },
  { label: 'OPENAI_API_KEY', regex: new RegExp(`${EDGE}sk-[A-Za-z0-9_-]{20,}`, 'gi'), isSecret: hasDigit },
  { label: 'STRIPE_KEY', regex: new RegExp(`${EDGE}[sr]k_(?:live|test)_[A-Za-z0-9]{24,}`, 'gi') },
  { label: 'GITHUB_TOKEN', regex: /gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}/gi },
  { label: 'GITLAB_TOKEN', regex: new RegExp(`${EDGE}gl(?:pat|dt|rt|ptt|cbt)-[A-Za-z0-9_.-]{20,}`, 'gi') },
  { label: 'AWS_ACCESS_KEY', regex: /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g },
  {
    label: 'AWS_SECRET_KEY',
    regex: /(?<![A-Za-z])(?:aws|secret)[A-Za-z_. -]{0,32}["']?\s{0,4}[:=]{1,2}>?\s{0,4}["']?([A-Za-z0-9/+=]{40})(?![A-Za-z0-9/+=])/gi,
  },
  {
    label: 'SLACK_TOKEN',
    regex: new RegExp(`${EDGE}xox[baprs]-[A-Za-z0-9-]{10,}|${EDGE}xapp-\\d-[A-Za-z0-9-]{10,}`, 'gi'),
  },
  { label: 'SLACK_WEBHOOK', regex: /hooks\.slack\.com\/(?:services|workflows)\/([A-Za-z0-9/_-]{20,256})/gi },
  { label: 'GOOGLE_API_KEY', regex: new RegExp(`${EDGE}AIza[A-Za-z0-9_-]{35}`, 'g') },
  { label: 'GOOGLE_OAUTH', regex: new RegExp(`${EDGE}(?:ya29\\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})`, 'g') },
  { label: 'HUGGING_FACE_TOKEN', regex: new RegExp(`${EDGE}hf_[A-Za-z0-9]{30,}`, 'g') },
  { label: 'NPM_TOKEN', regex: new RegExp(`${EDGE}npm_[A-Za-z0-9]{36,}`, 'g') },
  { label: 'PYPI_TOKEN', regex: new RegExp(`${EDGE}pypi-[A-Za-z0-9_-]{50,}`, 'g') },
  { label: 'SENDGRID_KEY', regex: new RegExp(`${EDGE}SG\\.[A-Za-z0-9_-]{16,64}\\.[A-Za-z0-9_-]{16,128}`, 'g') },
  { label: 'DIGITALOCEAN_TOKEN', regex: new RegExp(`${EDGE}do[opr]_v1_[a-f0-9]{64}`, 'g') },
  { label: 'SHOPIFY_TOKEN', regex: new RegExp(`${EDGE}shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}`, 'g') },
  { label: 'DATABRICKS_TOKEN', regex: new RegExp(`${EDGE}dapi[a-f0-9]{32}(?![a-f0-9])`, 'g') },
  { label: 'VAULT_TOKEN', regex: new RegExp(`${EDGE}hvs\\.[A-Za-z0-9_-]{24,}`, 'g') },
  { label: 'AGE_SECRET_KEY', regex: /AGE-SECRET-KEY-1[A-Z0-9]{58}/g },
  { label: 'TELEGRAM_TOKEN', regex: /(?<![A-Za-z0-9_:-])\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])/g },
  { label: 'AZURE_KEY', regex: /(?:AccountKey|SharedAccessKey|sig)=([A-Za-z0-9%/+]{40,256}={0,2})/g },
  { label: 'JWT', regex: /(?<![A-Za-z0-9_.-])eyJ[A-Za-z0-9_-]{4,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+/g },
  {
    label: 'BEARER_TOKEN',
    regex: /\b(?:Bearer|Basic)[ \t]{1,4}([A-Za-z0-9._~+/-]{8,}={0,2})/gi,
    isSecret: (text) => /\d|[A-Za-z][._~+/-][A-Za-z]/.test(text),
  },
  // The password ends at the last @ of the address, so an @ inside of it does not leak its rest.
  {
    label: 'DB_CONNECTION',
    regex: /\b(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|clickhouse)(?:\+\w{1,16})?:\/\/[^\s:@/"'`]{0,256}:([^\s"'`<>]{1,256})@/gi,
    isSecret: isNotTemplate,
  },
  {
    label: 'URL_PASSWORD',
    regex: /\b(?:https?|ftps?|sftp|ssh|smtps?|imaps?|ldaps?|git):\/\/[^\s:@/"'`]{0,256}:([^\s"'`<>/]{1,256})@/gi,
    isSecret: isNotTemplate,
  },
]

const KEY_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g
const KEY_END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g

/** All spans of the patterns, in the order of the table: of two that overlap the earlier listed counts. */
export function patternSpans(text: string): Span[] {
  const spans = privateKeys(text)
  for (const { label, regex, isSecret } of PATTERNS) {
    for (const match of text.matchAll(regex)) {
      const secret = match[1] ?? match[0]
      if (secret.startsWith('[REDACTED') || (isSecret !== undefined && !isSecret(secret))) continue
      // A group stands at the end of its match, but for the @ that closes an address.
      const from = match[1] === undefined ? match.index : match.index + match[0].lastIndexOf(secret)
      spans.push({ from, to: from + secret.length, label })
    }
  }
  return spans
}

/** An unterminated block is masked to the end of the text. */
function privateKeys(text: string): Span[] {
  const spans: Span[] = []
  KEY_BEGIN.lastIndex = 0
  for (let begin = KEY_BEGIN.exec(text); begin !== null; begin = KEY_BEGIN.exec(text)) {
    KEY_END.lastIndex = begin.index
    const end = KEY_END.exec(text)
    const to = end === null ? text.length : end.index + end[0].length
    spans.push({ from: begin.index, to, label: 'PRIVATE_KEY' })
    KEY_BEGIN.lastIndex = to
  }
  return spans
}

function isNotTemplate(text: string): boolean {
  return !/^(?:\$|\{|<|%[A-Za-z({]|\[|\*+$|x+$|:)/i.test(text)
}
