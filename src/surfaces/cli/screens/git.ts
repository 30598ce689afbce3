/** What `vp git branch`, `commit`, `push` and `pr` show. */
import { count } from '../format.ts'
import { raw, renderer, type Screen } from '../finish.ts'
import { nextLines, table } from '../layout.ts'
import { strong, type Look } from '../style.ts'

const short = (sha: string): string => sha.slice(0, 7)

export interface BranchesView {
  readonly branches: readonly { readonly name: string; readonly sha: string; readonly current: boolean }[]
  /** The branch that was made now. */
  readonly created: string | null
  readonly next: readonly string[]
}

export const branchesScreen = renderer<BranchesView>((view, look) => {
  const made = view.branches.find((branch) => branch.name === view.created)
  if (made) return { stdout: [strong(`${made.current ? 'on' : 'branch'} ${made.name}, new at ${short(made.sha)}`)], stderr: nextLines(view.next) }
  return {
    stdout: table(
      look,
      [{ head: 'branch' }, { head: 'commit' }, { head: '' }],
      view.branches.map((branch) => [branch.name, short(branch.sha), branch.current ? 'you are here' : '']),
    ),
    stderr: nextLines(view.next),
  }
})

export interface CommittedView {
  readonly sha: string
  readonly branch: string
  readonly subject: string
  readonly files: number
  /** Below a named folder, but not committed: secrets, repositories of their own. */
  readonly omitted: readonly string[]
  readonly warnings: readonly string[]
  readonly next: readonly string[]
}

export const committedScreen = renderer<CommittedView>((view) => ({
  stdout: [strong(`${short(view.sha)} on ${view.branch}: ${view.subject}`) + ` · ${count(view.files, 'file')}`],
  stderr: [
    ...view.warnings.map((warning) => `warn  ${warning}`),
    ...(view.omitted.length > 0 ? [`note  left out, secret files and repositories within: ${view.omitted.join(' ')}`] : []),
    ...nextLines(view.next),
  ],
}))

export interface PushedView {
  readonly remote: string
  readonly url: string
  readonly branch: string
  readonly from: string | null
  readonly to: string
  readonly up_to_date: boolean
}

export const pushedScreen = renderer<PushedView>((view) => ({
  stdout: [
    view.up_to_date
      ? `${view.branch} on ${view.remote} is up to date, ${short(view.to)}`
      : strong(`${view.branch} ${view.from === null ? 'new' : short(view.from)} → ${short(view.to)} on ${view.remote}`) + ` · ${view.url}`,
  ],
}))

export interface ProposedView {
  readonly title: string
  readonly body: string
  readonly base: string | null
  readonly head: string
  readonly state: 'text' | 'opened' | 'found'
  readonly number: number | null
  readonly url: string | null
  readonly compare_url: string | null
  readonly note: string | null
}

/** As text it can be piped into a file: what is not title and body is talk. */
export const proposedScreen = (view: ProposedView, look: Look): Screen => {
  if (view.state !== 'text') return openedScreen({ ...view, words: view.state === 'opened' ? 'opened' : 'is open already' }, look)
  return {
    stdout: [view.title, '', ...view.body.trimEnd().split('\n')].map((line) => raw(look, line)),
    stderr: [
      ...(view.note ? [`note  not sent: ${view.note}`] : []),
      ...(view.compare_url ? [`open   ${view.compare_url}`] : []),
      ...nextLines([`vp git push origin ${view.head}`]),
    ],
  }
}

const openedScreen = renderer<ProposedView & { words: string }>((view) => ({
  stdout: [strong(`#${view.number} ${view.words}: ${view.title}`) + ` · ${view.head} → ${view.base}`, view.url ?? ''],
}))
