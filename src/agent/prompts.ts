/**
 * The words that models get, each a file in `prompts/`: what stands there is what is sent, but for the newline at its end.
 * The build puts them into the bundle, so that a start reads no file of them (scripts/build.mjs).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

function promptText(name: string): string {
  return readFileSync(join(import.meta.dirname, 'prompts', `${name}.md`), 'utf8').trimEnd()
}

export const PROMPTS = {
  /** First in every request of a task. */
  system: promptText('system'),
  /** Where an answer calls no tool, and where it was cut by its limit. */
  nudge: promptText('nudge'),
  cutShort: promptText('cut-short'),
  /** Where a person spoke while the work was being submitted. */
  heldBack: promptText('held-back'),
  /** Before a person's words (`vp tell`), before what a compaction leaves, before a repository's AGENTS.md. */
  told: promptText('told'),
  compacted: promptText('compacted'),
  instructions: promptText('instructions'),
  /** For planning. */
  planner: promptText('planner'),
  questions: promptText('questions'),
  tasks: promptText('tasks'),
} as const
