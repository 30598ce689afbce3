/** `vp policy explain` and `check`, `vp token`: decisions and where they stand, files that are whole, who holds what. */
import { count } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, nextLines } from '../layout.ts'
import { attention, bad, good, hang, strong } from '../style.ts'

export interface PolicyExplainView {
  readonly effect: 'allow' | 'ask' | 'deny'
  readonly rule: string
  readonly reason?: string
  readonly file?: string | null
  readonly line?: number | null
  /** The shipped lane that the rule is of. */
  readonly shipped?: string | null
  readonly nearest?: string | null
  /** Of what is let through: `bwrap`, `no network`, `900s`. */
  readonly terms?: readonly string[]
}

export const policyExplainScreen = renderer<PolicyExplainView>((view) => {
  const paint = { allow: good, ask: attention, deny: bad }[view.effect]
  const place = view.file ? ` (${view.file}${view.line ? `:${view.line}` : ''})` : view.shipped ? ` (shipped lane ${view.shipped})` : ''
  const text =
    view.effect === 'allow' ? dots(`${view.rule}${place}`, (view.terms ?? []).join(', ')) : `${view.rule}${place}${view.reason ? `, ${view.reason}` : ''}`
  return {
    stdout: [hang(paint(view.effect), 7) + text, ...(view.nearest ? [hang('', 7) + `nearest allowed: ${view.nearest}`] : [])],
  }
})

export interface PolicyCheckView {
  readonly files: readonly {
    readonly file: string
    readonly ok: boolean
    readonly rules: number
    readonly examples: number
    readonly error?: { readonly message: string; readonly line?: number }
    readonly cut: readonly { readonly what: string; readonly line?: number }[]
  }[]
  readonly shipped: { readonly lanes: number; readonly examples: number }
}

export const policyCheckScreen = renderer<PolicyCheckView>(({ files, shipped }) => ({
  stdout: [
    ...files.flatMap(({ file, ok, rules, examples, error, cut }) => [
      hang((ok ? good : bad)(ok ? 'ok' : 'error'), 7) +
        (ok
          ? dots(file, rules > 0 && count(rules, 'rule'), rules > 0 && `${count(examples, 'example')} ${examples === 1 ? 'holds' : 'hold'}`)
          : `${file}${error?.line === undefined ? '' : `:${error.line}`}: ${error?.message ?? 'cannot be read'}`),
      ...cut.map(({ what, line }) => hang(attention('cut'), 7) + `${line === undefined ? '' : `line ${line}: `}${what}`),
    ]),
    hang('', 7) + dots(`${count(shipped.lanes, 'lane')} shipped with vp`, `${count(shipped.examples, 'example')} hold`),
  ],
}))

export interface TokenRowView {
  readonly id: string
  readonly actor: string
  readonly scopes: readonly string[]
  readonly state: 'valid' | 'expired' | 'revoked'
  readonly expires_at: string
}

const until = (view: TokenRowView) => view.expires_at.slice(0, 16).replace('T', ' ') + ' UTC'

/** The token alone on stdout, so that it can be taken into a variable; it is not kept and cannot be shown again. */
export const tokenCreatedScreen = renderer<TokenRowView & { readonly token: string }>((view) => ({
  stdout: [view.token],
  stderr: [
    dots(strong(view.id), `for ${view.actor}`, `until ${until(view)}`),
    hang('may', 5) + view.scopes.join(', '),
    'shown this once; vp keeps only its digest',
    ...nextLines([`vp token revoke ${view.id}`]),
  ],
}))

export const tokenListScreen = renderer<{ readonly tokens: readonly TokenRowView[] }>(({ tokens }) => ({
  stdout:
    tokens.length === 0
      ? ['no token was given to anybody']
      : tokens.flatMap((view) => [
          dots(strong(view.id), view.state === 'valid' ? good('valid') : bad(view.state), `for ${view.actor}`, `until ${until(view)}`),
          hang('', 5) + view.scopes.join(', '),
        ]),
}))

export const tokenRevokedScreen = renderer<TokenRowView>((view) => ({
  stdout: [dots(strong(view.id), bad('revoked'), `could: ${view.scopes.join(', ')}`)],
}))
