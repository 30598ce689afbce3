/** Where a repository's requirements lie. Built-ins only: `vp status` says it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export const USUAL_PLACES = ['docs/PRD.md', 'PRD.md', 'prd.md', '.vp/prd.md']

/** What plans this repository, as a person types it. */
export function planCommandFor(root: string): string {
  return `vp plan --from-prd ${USUAL_PLACES.find((place) => existsSync(join(root, place))) ?? 'FILE'}`
}
