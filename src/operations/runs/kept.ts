/** What the runs of this machine keep on its disk: their repositories, passports and bundles, for replay and export. */
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Kit } from '../kit.ts'

export function keptRuns({ paths }: Pick<Kit, 'paths'>): { readonly runs: number; readonly bytes: number } {
  const names = list(paths.runs)
  return { runs: names.length, bytes: names.reduce((sum, name) => sum + bytesBelow(join(paths.runs, name)), 0) }
}

function bytesBelow(path: string): number {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found?.isDirectory()) return found?.size ?? 0
  return list(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), 0)
}

/** What is not there yet, or was removed meanwhile, has nothing in it. */
function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
