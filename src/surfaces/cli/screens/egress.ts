/** `vp egress show`: each body that left, by whom, where to, how much, its hash; and whether its receipt agrees. */
import { bytes, clock, count as counted } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, nextLines } from '../layout.ts'
import { bad, good, hang } from '../style.ts'

export interface EgressView {
  readonly calls: readonly {
    readonly task: string
    readonly attempt: number
    readonly turn: number
    readonly ts: number | null
    readonly outcome: string
    readonly sends: number
    readonly host: string | null
    readonly path: string | null
    readonly sha256: string | null
    readonly bytes: number | null
    readonly masked: number
    readonly unmasked: number
    readonly kept: boolean
    readonly proved: boolean
    readonly body: string | null
  }[]
  readonly requests: number
  readonly bytes: number
  readonly masked: number
  readonly unmasked: number
  readonly hosts: readonly string[]
  readonly missing: number
  readonly proved: boolean
  readonly next?: readonly string[]
}

type CallView = EgressView['calls'][number]

const LABEL = 12
const SHORT_HASH = 16

export function egressScreen(zone?: string) {
  return renderer<EgressView>((view) => ({
    stdout: [...view.calls.map((call) => callLine(call, zone)), totalLine(view)],
    stderr: [
      ...(view.unmasked > 0
        ? [`note  ${counted(view.unmasked, 'value')} left unmasked that would be masked today: change ${view.unmasked === 1 ? 'it' : 'them'}`]
        : []),
      ...nextLines(view.next ?? []),
    ],
  }))
}

/** `T1.2 turn 3`: the second attempt. */
export function callName({ task, attempt, turn }: Pick<CallView, 'task' | 'attempt' | 'turn'>): string {
  return `${task}${attempt > 1 ? `.${attempt}` : ''} turn ${turn}`
}

function callLine(call: CallView, zone: string | undefined): string {
  const words = dots(
    call.ts !== null && clock(call.ts, zone),
    call.sends === 0 ? 'nothing left this machine' : call.host !== null && call.host + (call.path ?? ''),
    call.sends > 0 && call.bytes !== null && bytes(call.bytes),
    call.sends > 1 && `sent ${call.sends} times`,
    call.masked > 0 && `${call.masked} masked`,
    call.outcome !== 'ok' && call.outcome,
    call.sha256 !== null && `sha256 ${call.sha256.slice(0, SHORT_HASH)}`,
    call.sends > 0 && !call.kept && 'not kept here',
    call.kept && !call.proved && bad(call.body === null ? 'what is kept is damaged' : 'no receipt has this hash'),
  )
  return hang(callName(call), LABEL) + words
}

function totalLine(view: EgressView): string {
  const whole = dots(
    view.requests === 0 ? 'nothing left this machine' : counted(view.requests, 'request'),
    view.requests > 0 && bytes(view.bytes),
    view.hosts.length > 0 && `to ${view.hosts.join(', ')}`,
    view.requests > 0 && `${view.masked} masked`,
    view.missing > 0 && `${view.missing} not kept here`,
  )
  return hang(verdict(view), LABEL) + whole
}

/** What is not here contradicts nothing, and is no proof. */
function verdict({ calls, proved }: EgressView): string {
  if (calls.some((call) => call.kept && !call.proved)) return bad('DIFFERS')
  return proved ? good('proved') : 'not proved'
}
