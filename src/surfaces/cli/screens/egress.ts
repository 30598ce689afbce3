/** `vp egress show`: each request that left, by whom, where to, how much, its hash; and whether its receipt agrees. */
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
    readonly host: string | null
    readonly outcome: string
    readonly sha256: string
    readonly bytes: number | null
    readonly sends: number
    readonly masked: number
    readonly unmasked: number
    readonly proved: boolean
  }[]
  readonly requests: number
  readonly bytes: number
  readonly masked: number
  readonly unmasked: number
  readonly hosts: readonly string[]
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
    call.host,
    call.bytes === null ? 'bytes not kept' : bytes(call.bytes),
    call.sends > 1 && `sent ${call.sends} times`,
    call.masked > 0 && `${call.masked} masked`,
    call.outcome !== 'ok' && call.outcome,
    `sha256 ${call.sha256.slice(0, SHORT_HASH)}`,
    !call.proved && bad('no receipt has this hash'),
  )
  return hang(callName(call), LABEL) + words
}

function totalLine(view: EgressView): string {
  const whole = dots(counted(view.requests, 'request'), bytes(view.bytes), view.hosts.length > 0 && `to ${view.hosts.join(', ')}`, `${view.masked} masked`)
  return hang(view.proved ? good('proved') : bad('DIFFERS'), LABEL) + whole
}
