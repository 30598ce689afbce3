/** `vp demo`: the whole way in eight lines, the first of which says what is not real. */
import { renderer } from '../finish.ts'
import { labelled } from '../layout.ts'

export interface DemoView {
  readonly live: boolean
  /** In the order they happened: `new`, `plan`, `start`, `gates`, `commits`, `spent`, `look`. */
  readonly steps: readonly { readonly label: string; readonly text: string }[]
}

export const DEMO_HEAD = "The model's words are recorded; everything else here is real"
export const DEMO_HEAD_LIVE = 'A live model; everything here is real'

/** One step, to be written as soon as it is done. */
export function demoStep(label: string, text: string): string {
  return labelled(label, text, 10)
}

export const demoScreen = renderer<DemoView>((view) => ({
  stdout: [view.live ? DEMO_HEAD_LIVE : DEMO_HEAD, ...view.steps.map((step) => demoStep(step.label, step.text))],
}))
