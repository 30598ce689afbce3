/** `vp tell`: who hears it and when. `vp context show`: pins first, then what is there in which form, then what was left out. */
import { renderer } from '../finish.ts'
import { count as counted, tokens } from '../format.ts'
import { dots, nextLines } from '../layout.ts'
import { bad, good, hang, strong } from '../style.ts'

export interface ToldView {
  readonly hears: readonly string[]
  readonly when: string
  readonly text: string
  readonly next: readonly string[]
}

export const toldScreen = renderer<ToldView>((view) => ({
  stdout: [
    hang('told', LABEL) + dots(view.hears.join(' '), view.when === 'next turn' ? 'hears it at its next turn' : 'hears it when the run is resumed'),
    hang('', LABEL) + `“${firstLine(view.text)}”`,
  ],
  stderr: nextLines(view.next),
}))

export interface ContextView {
  readonly task: string
  readonly attempt: number
  readonly turn: number
  readonly window: { readonly window_tokens: number; readonly room_tokens: number; readonly used_tokens: number; readonly fraction_used: number }
  readonly pins: readonly { readonly kind: string; readonly text: string; readonly cite: string; readonly about: string; readonly holds: boolean }[]
  readonly items: readonly { readonly id: string; readonly title: string; readonly form: string; readonly tokens: number }[]
  readonly dropped: readonly { readonly id: string; readonly title: string; readonly reason: string }[]
  readonly compactions: readonly { readonly turn: number; readonly reason: string; readonly before_tokens: number; readonly after_tokens: number }[]
  readonly instructions: readonly { readonly path: string; readonly characters: number; readonly shown: number }[]
  readonly unread?: readonly { readonly path: string; readonly bytes: number }[]
  readonly proved: boolean
  readonly next: readonly string[]
}

const LABEL = 12

export const contextScreen = renderer<ContextView>((view) => {
  const { window } = view
  return {
    stdout: [
      hang('context', LABEL) +
        dots(
          `${view.task}${view.attempt > 1 ? `.${view.attempt}` : ''} turn ${view.turn}`,
          `${tokens(window.used_tokens)} of ${tokens(window.room_tokens)} tokens`,
          `window ${tokens(window.window_tokens)}`,
          view.compactions.length > 0 && `built anew ${counted(view.compactions.length, 'time')}`,
        ),
      ...view.pins.map(
        (pin) => hang(pin.kind, LABEL) + dots(`“${firstLine(pin.text)}”`, pin.about !== '' && pin.about, pin.cite, !pin.holds && bad('is not there')),
      ),
      ...view.instructions.map(
        ({ path, characters, shown }) => hang('data', LABEL) + dots(path, shown === 0 ? 'named only' : `${shown} of ${characters} characters`),
      ),
      ...(view.unread ?? []).map(({ path, bytes }) => hang('data', LABEL) + dots(path, 'not shown', counted(bytes, 'byte'))),
      ...view.items.map((item) => hang(item.form, LABEL) + dots(item.title, `${tokens(item.tokens)} tok`, item.id)),
      ...view.dropped.map((item) => hang(strong('left out'), LABEL) + dots(item.title, item.reason, item.id)),
      ...view.compactions.map(
        (one) => hang('built anew', LABEL) + dots(`turn ${one.turn}`, `${tokens(one.before_tokens)} to ${tokens(one.after_tokens)} tokens`, one.reason),
      ),
      hang(view.proved ? good('proved') : bad('DIFFERS'), LABEL) +
        (view.proved ? 'built again from the ledger it has the bytes that were sent' : 'built again from the ledger it is not what was sent'),
    ],
    stderr: nextLines(view.next),
  }
})

function firstLine(text: string): string {
  const [line = '', ...more] = text.split('\n')
  return more.length > 0 ? `${line} …` : line
}
