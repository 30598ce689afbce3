/**
 * The kinds of secrets that tell themselves: one row each, label and pattern. Sources: contracts/policy.md section 6, the
 * kinds of secretlint's recommended preset (ids enabled; docs/decisions/0010), and the vendors' own descriptions. Every
 * repeat is bounded or starts at a word's edge, so that time is linear; `hint` is a text without which no match can be.
 */
export interface Kind {
  readonly label: string
  /** In lower case; one of them stands in the text, or the pattern is not tried. */
  readonly hint: string | readonly string[]
  /** Global. The secret is group 1 where there is one, else the whole match. */
  readonly regex: RegExp
  readonly isSecret?: (secret: string) => boolean
}

/** Not in the middle of a word; what an escape of JSON or of an address ends with is none. */
const ESCAPED = '(?<=\\\\[nrtbf]|%[0-9A-Fa-f]{2})'
const EDGE = `(?:(?<![A-Za-z0-9_-])|${ESCAPED})`
const END = '(?![A-Za-z0-9_-])'
const word = (body: string, flags = 'g'): RegExp => new RegExp(EDGE + body, flags)
const whole = (body: string, flags = 'g'): RegExp => new RegExp(EDGE + body + END, flags)
const hasDigit = (text: string): boolean => /\d/.test(text)
/** Letters and digits mixed, as no identifier is that somebody made up. */
const isMixed = (text: string): boolean => hasDigit(text) && /[A-Za-z]/.test(text)

/** Base64 of `user:password`, which is what Basic carries. */
function isUserAndPassword(text: string): boolean {
  return /^[\x20-\x7e]*:[\x20-\x7e]*$/.test(Buffer.from(text, 'base64').toString('latin1'))
}

export function isNotTemplate(text: string): boolean {
  return !/^(?:\$[{(A-Za-z_]|\{|<|%[A-Za-z({]|\[|\*+$|x+$|\.{3}|:)/i.test(text)
}

/** Earlier rows win where two overlap. */
export const KINDS: readonly Kind[] = [
  // Models
  { label: 'ANTHROPIC_API_KEY', hint: 'sk-ant-', regex: word('sk-ant-[A-Za-z0-9_-]{20,}', 'gi') },
  { label: 'OPENAI_API_KEY', hint: 'sk-', regex: word('sk-[A-Za-z0-9_-]{20,}', 'gi'), isSecret: hasDigit },
  { label: 'GROQ_API_KEY', hint: 'gsk_', regex: word('gsk_[A-Za-z0-9]{40,}') },
  { label: 'XAI_API_KEY', hint: 'xai-', regex: word('xai-[A-Za-z0-9]{60,}') },
  { label: 'PERPLEXITY_API_KEY', hint: 'pplx-', regex: word('pplx-[A-Za-z0-9]{40,}') },
  { label: 'REPLICATE_TOKEN', hint: 'r8_', regex: word('r8_[A-Za-z0-9]{37}') },
  { label: 'HUGGING_FACE_TOKEN', hint: ['hf_', 'api_org_'], regex: word('(?:hf_|api_org_)[A-Za-z0-9]{30,}') },
  // Code and packages
  { label: 'GITHUB_TOKEN', hint: 'ghs_', regex: word('ghs_\\d{1,20}_[A-Za-z0-9_-]{4,1000}\\.[A-Za-z0-9_-]{1,10000}\\.[A-Za-z0-9_-]{1,1000}') },
  { label: 'GITHUB_TOKEN', hint: ['gh', 'github_pat_'], regex: /gh[pousr]_[A-Za-z0-9_]{36,}|github_pat_[A-Za-z0-9_]{22,}/gi },
  { label: 'GITLAB_TOKEN', hint: 'gl', regex: word('gl(?:pat|dt|rt|ptt|cbt|ft|soat|agent|oas|imt|ffct)-[A-Za-z0-9_.-]{20,}', 'gi') },
  { label: 'BITBUCKET_TOKEN', hint: 'atbb', regex: whole('ATBB[A-Za-z0-9]{32}') },
  { label: 'ATLASSIAN_TOKEN', hint: ['atatt3', 'atctt3'], regex: word('AT(?:A|C)TT3[A-Za-z0-9_=-]{50,}') },
  { label: 'NPM_TOKEN', hint: 'npm_', regex: word('npm_[A-Za-z0-9_]{36,}') },
  { label: 'NPM_TOKEN', hint: ['_authtoken', '_auth', '_password'], regex: /:_(?:authToken|auth|password)\s?=\s?([^\s$"'][^\s"']{3,1000})/g },
  { label: 'PYPI_TOKEN', hint: 'pypi-', regex: word('pypi-[A-Za-z0-9_-]{50,}') },
  { label: 'RUBYGEMS_KEY', hint: 'rubygems_', regex: word('rubygems_[a-f0-9]{48}') },
  { label: 'CRATES_TOKEN', hint: 'cio', regex: whole('cio[A-Za-z0-9]{32}'), isSecret: isMixed },
  { label: 'NUGET_KEY', hint: 'oy2', regex: whole('oy2[a-z0-9]{43}') },
  { label: 'ARTIFACTORY_KEY', hint: 'akcp', regex: word('AKCp[A-Za-z0-9]{10,}'), isSecret: hasDigit },
  { label: 'NOTION_TOKEN', hint: 'ntn_', regex: word('ntn_[A-Za-z0-9]{40,}') },
  { label: 'FIREBASE_KEY', hint: 'apa91b', regex: word('AAAA[A-Za-z0-9_-]{7}:APA91b[A-Za-z0-9_-]{100,}') },
  { label: 'DOCKER_TOKEN', hint: ['dckr_pat_', 'dckr_oat_'], regex: word('dckr_[po]at_[A-Za-z0-9_-]{27,}') },
  { label: 'DOCKER_AUTH', hint: '"auth"', regex: /"auth"\s{0,4}:\s{0,4}"([A-Za-z0-9+/]{16,2000}={0,2})"/g, isSecret: isMixed },
  // Clouds
  {
    label: 'AWS_ACCESS_KEY',
    hint: ['a3t', 'aki', 'agp', 'aid', 'aro', 'aip', 'anp', 'anv', 'asi'],
    regex: /(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]|%[0-9A-Fa-f]{2}))(?:A3T[A-Z0-9]|AKIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g,
  },
  {
    label: 'AWS_SECRET_KEY',
    hint: ['aws', 'secret'],
    regex: /(?<![A-Za-z])(?:aws|secret)[A-Za-z_. -]{0,32}["']?\s{0,4}[:=]{1,2}>?\s{0,4}["']?([A-Za-z0-9/+][A-Za-z0-9/+=]{39})(?![A-Za-z0-9/+=])/gi,
  },
  { label: 'AWS_ACCOUNT_ID', hint: 'account', regex: /aws_?account(?:_?id)?["']?\s{0,4}[:=]{1,2}>?\s{0,4}["']?(\d{4}-?\d{4}-?\d{4})(?![\w-])/gi },
  { label: 'AWS_MWS_KEY', hint: 'amzn.mws.', regex: word('amzn\\.mws\\.[0-9a-f-]{36}') },
  { label: 'AWS_SIGNATURE', hint: 'x-amz-', regex: /X-Amz-(?:Signature|Security-Token)=([A-Za-z0-9%/+=_-]{40,4000})/gi },
  { label: 'GOOGLE_API_KEY', hint: 'aiza', regex: word('AIza[A-Za-z0-9_-]{35}') },
  { label: 'GOOGLE_OAUTH', hint: ['ya29.', 'gocspx-', '1//0'], regex: word('(?:ya29\\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{40,})') },
  {
    label: 'AZURE_KEY',
    hint: ['accountkey', 'sharedaccesskey', 'sig='],
    regex: /(?:AccountKey|SharedAccessKey|(?<![A-Za-z0-9])sig)=([A-Za-z0-9%/+]{40,256}={0,2})/g,
  },
  { label: 'AZURE_CLIENT_SECRET', hint: '8q~', regex: /(?:(?<![A-Za-z0-9_~.-])|(?<=\\[nrtbf]))[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{34}(?![A-Za-z0-9_~-])/g },
  { label: 'AZURE_DEVOPS_TOKEN', hint: 'azdo', regex: whole('[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}') },
  { label: 'ALIBABA_KEY', hint: 'ltai', regex: whole('LTAI[A-Za-z0-9]{20}') },
  { label: 'DIGITALOCEAN_TOKEN', hint: '_v1_', regex: word('do[opr]_v1_[a-f0-9]{64}') },
  { label: 'CLOUDFLARE_TOKEN', hint: ['cfk_', 'cfut_', 'cfat_'], regex: word('cf(?:k|ut|at)_[A-Za-z0-9]{40,}') },
  { label: 'CLOUDFLARE_KEY', hint: 'v1.0-', regex: word('v1\\.0-[0-9a-f]{24}-[0-9a-f]{140,150}') },
  { label: 'DATABRICKS_TOKEN', hint: 'dapi', regex: word('dapi[A-Fa-f0-9]{32}(?:-\\d)?(?![A-Fa-f0-9])') },
  { label: 'VAULT_TOKEN', hint: ['hvs.', 'hvb.', 'hvr.'], regex: word('hv[sbr]\\.[A-Za-z0-9_-]{24,}') },
  { label: 'TERRAFORM_TOKEN', hint: '.atlasv1.', regex: word('[A-Za-z0-9]{14}\\.atlasv1\\.[A-Za-z0-9_=-]{60,}') },
  { label: 'PULUMI_TOKEN', hint: 'pul-', regex: word('pul-[a-f0-9]{40}') },
  { label: 'DOPPLER_TOKEN', hint: 'dp.', regex: word('dp\\.(?:pt|st|ct|sa|scim|audit)\\.[A-Za-z0-9._-]{40,}') },
  { label: 'HEROKU_KEY', hint: 'hrku-', regex: word('HRKU-[A-Za-z0-9_-]{36,}') },
  { label: 'FLY_TOKEN', hint: ['fm1_', 'fm2_', 'fo1_'], regex: word('f(?:m[12]|o1)_[A-Za-z0-9+/=_-]{40,}') },
  { label: 'VERCEL_TOKEN', hint: ['vcp_', 'vci_', 'vca_', 'vcr_', 'vck_'], regex: word('vc[piark]_[A-Za-z0-9]{20,}') },
  { label: 'NETLIFY_TOKEN', hint: 'nfp_', regex: word('nfp_[A-Za-z0-9]{36,}') },
  { label: 'SUPABASE_KEY', hint: ['sbp_', 'sb_secret_'], regex: word('(?:sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{20,})') },
  { label: 'PLANETSCALE_KEY', hint: 'pscale_', regex: word('pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,}') },
  { label: 'TAILSCALE_KEY', hint: 'tskey-', regex: word('tskey-[a-z]{2,20}-[A-Za-z0-9_]{8,64}-[A-Za-z0-9_]{16,64}') },
  // Talk and mail
  { label: 'SLACK_TOKEN', hint: ['xox', 'xapp-'], regex: word('(?:xox[abeoprs]-|xoxe\\.xox[bp]-)[A-Za-z0-9-]{10,}', 'gi') },
  { label: 'SLACK_TOKEN', hint: 'xapp-', regex: word('xapp-(?:\\d-)?[A-Za-z0-9-]{10,}', 'gi'), isSecret: hasDigit },
  { label: 'SLACK_WEBHOOK', hint: 'hooks.slack.com', regex: /hooks\.slack\.com\/(?:services|workflows|triggers)\/([A-Za-z0-9/_-]{20,256})/gi },
  {
    label: 'DISCORD_TOKEN',
    hint: ['m', 'n', 'o'],
    regex: /(?:(?<![A-Za-z0-9_.-])|(?<=\\[nrtbf]))[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}(?![A-Za-z0-9_.-])/g,
    isSecret: hasDigit,
  },
  { label: 'DISCORD_WEBHOOK', hint: '/api/webhooks/', regex: /discord(?:app)?\.com\/api\/webhooks\/\d{10,25}\/([A-Za-z0-9_-]{40,100})/g },
  { label: 'TEAMS_WEBHOOK', hint: 'incomingwebhook', regex: /\/IncomingWebhook\/([a-f0-9]{32}\/[a-f0-9-]{36})/g },
  { label: 'TELEGRAM_TOKEN', hint: ':aa', regex: /(?:(?<![A-Za-z0-9_:-])|(?<=\\[nrtbf]))(?:bot)?(\d{8,10}:AA[A-Za-z0-9_-]{33})(?![A-Za-z0-9_-])/g },
  { label: 'SENDGRID_KEY', hint: 'sg.', regex: word('SG\\.[A-Za-z0-9_-]{16,128}\\.[A-Za-z0-9_-]{16,256}') },
  { label: 'MAILGUN_KEY', hint: 'key-', regex: whole('key-[0-9a-f]{32}') },
  { label: 'MAILCHIMP_KEY', hint: '-us', regex: whole('[0-9a-f]{32}-us\\d{1,2}') },
  { label: 'TWILIO_KEY', hint: 'sk', regex: whole('SK[0-9a-f]{32}') },
  // Money and shops
  { label: 'STRIPE_KEY', hint: ['_live_', '_test_', 'whsec_'], regex: word('(?:[sr]k_(?:live|test)_[A-Za-z0-9]{24,}|whsec_[A-Za-z0-9]{24,})', 'gi') },
  {
    label: 'SQUARE_TOKEN',
    hint: ['sq0', 'eaaa'],
    regex: word('(?:sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,}|EAAA[A-Za-z0-9_-]{60}(?![A-Za-z0-9+/=]))'),
    isSecret: hasDigit,
  },
  { label: 'BRAINTREE_TOKEN', hint: 'access_token$', regex: /access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}/g },
  { label: 'SHOPIFY_TOKEN', hint: 'shp', regex: word('shp(?:at|ca|pa|pp|ppa|ss)_[A-Za-z0-9]{32,64}') },
  { label: 'EASYPOST_KEY', hint: ['ezak', 'eztk'], regex: whole('EZ[AT]K[A-Za-z0-9]{54}') },
  // Tools of a trade
  { label: 'GRAFANA_TOKEN', hint: ['glc_', 'glsa_'], regex: word('(?:glc_[A-Za-z0-9+/]{32,400}={0,2}|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8})') },
  { label: 'SENTRY_TOKEN', hint: ['sntrys_', 'sntryu_'], regex: word('sntry[su]_[A-Za-z0-9+/=_-]{40,}') },
  { label: 'NEWRELIC_KEY', hint: 'nrak-', regex: word('NRAK-[A-Z0-9]{27}') },
  { label: 'LINEAR_KEY', hint: 'lin_', regex: word('lin_(?:api|oauth)_[A-Za-z0-9_]{32,}') },
  { label: 'NOTION_TOKEN', hint: ['ntn_', 'secret_'], regex: word('(?:ntn_[0-9]{11}[A-Za-z0-9]{32,}|secret_[A-Za-z0-9]{43})'), isSecret: hasDigit },
  { label: 'FIGMA_TOKEN', hint: ['figd_', 'figo_', 'figp_'], regex: word('fig[dop]_[A-Za-z0-9_-]{40,}') },
  { label: 'AIRTABLE_TOKEN', hint: 'pat', regex: whole('pat[A-Za-z0-9]{14}\\.[a-f0-9]{64}') },
  { label: 'POSTMAN_KEY', hint: 'pmak-', regex: word('PMAK-[a-f0-9]{24}-[a-f0-9]{34}') },
  { label: 'CIRCLECI_TOKEN', hint: 'ccipat_', regex: word('CCIPAT_[A-Za-z0-9]{16,}_[a-f0-9]{40}') },
  { label: 'BUILDKITE_TOKEN', hint: 'bkua_', regex: word('bkua_[a-f0-9]{40}') },
  { label: 'LAUNCHDARKLY_KEY', hint: 'sdk-', regex: whole('sdk-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}') },
  { label: 'DROPBOX_TOKEN', hint: 'sl.', regex: word('sl\\.[A-Za-z0-9_-]{120,}') },
  { label: 'ONEPASSWORD_TOKEN', hint: 'ops_ey', regex: word('ops_ey[A-Za-z0-9+/=_-]{80,}') },
  { label: 'AGE_SECRET_KEY', hint: 'age-secret-key-1', regex: /AGE-SECRET-KEY-1[A-Z0-9]{58}/g },
  // What every program may carry
  { label: 'JWT', hint: 'eyj', regex: /(?:(?<![A-Za-z0-9_.-])|(?<=\\[nrtbf]|%[0-9A-Fa-f]{2}))eyJ[A-Za-z0-9_-]{4,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*/g },
  {
    label: 'BEARER_TOKEN',
    hint: 'bearer',
    regex: /(?:\b|(?<=\\[nrtbf]))Bearer[ \t]{1,4}([A-Za-z0-9._~+/-]{8,}={0,2})/gi,
    isSecret: (text) => /\d|[A-Za-z][._~+/-][A-Za-z]/.test(text) && !/^[a-z]+(?:-[a-z]+)*$/.test(text),
  },
  { label: 'BASIC_AUTH', hint: 'basic', regex: /(?:\b|(?<=\\[nrtbf]))Basic[ \t]{1,4}([A-Za-z0-9+/]{8,}={0,2})(?![\w.+/-])/gi, isSecret: isUserAndPassword },
  {
    label: 'BEARER_TOKEN',
    hint: 'authorization',
    regex: /(?:\b|(?<=\\[nrtbf]))authorization["']?\s{0,4}[:=,]\s{0,4}["'`]?(?:(?:bearer|basic|token|apikey|key|digest|ssws)[ \t]{1,4})([^\s"'`,;]{6,4096})/gi,
    isSecret: isNotTemplate,
  },
  // The password ends at the last @ of the address, so an @ inside of it does not leak its rest.
  {
    label: 'DB_CONNECTION',
    hint: '://',
    regex:
      /(?:\b|(?<=\\[nrtbf]))(?:postgres(?:ql)?|mysqlx?|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|sqlserver|clickhouse|oracle|cockroachdb|snowflake|redshift|trino|presto|neo4j|bolt|couchbase|cassandra|influxdb|db2|cloudinary)(?:\+\w{1,16})?:\/\/[^\s:@/"'`]{0,256}:([^\s"'`<>]{1,256})@/gi,
    isSecret: isNotTemplate,
  },
  {
    label: 'URL_PASSWORD',
    hint: '://',
    regex:
      /(?:\b|(?<=\\[nrtbf]))(?:https?|wss?|ftps?|sftp|ssh|smtps?|imaps?|pop3s?|ldaps?|git|svn|nats|mqtts?|kafka|socks5h?):\/\/[^\s:@/"'`]{0,256}:([^\s"'`<>/]{1,256})@/gi,
    isSecret: (text) => isNotTemplate(text) && text !== 'x-oauth-basic',
  },
  { label: 'URL_TOKEN', hint: '://', regex: /(?:\b|(?<=\\[nrtbf]))(?:https?|git):\/\/([A-Za-z0-9_-]{20,256})(?::[^\s@/]{0,64})?@/g, isSecret: isMixed },
  { label: 'CURL_PASSWORD', hint: 'curl', regex: /\bcurl\b[^\n]{0,200}?\s(?:-u|--user)[ =]["']?[^\s:"']{1,64}:([^\s"']{4,256})/g, isSecret: isNotTemplate },
  { label: 'NETRC_PASSWORD', hint: 'login', regex: /\blogin\s{1,8}\S{1,100}\s{1,8}password\s{1,8}(\S{4,256})/g, isSecret: isNotTemplate },
  { label: 'MYSQL_PASSWORD', hint: 'mysql', regex: /\bmysql(?:dump|admin|import)?\b[^\n]{0,200}?\s-p([^\s"']{4,256})/g, isSecret: isNotTemplate },
  { label: 'SSHPASS', hint: 'sshpass', regex: /\bsshpass\s{1,4}-p\s{0,4}["']?([^\s"']{4,256})/g, isSecret: isNotTemplate },
]
