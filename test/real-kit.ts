/** A kit on a real store, sandbox and repository for tests of operations; everything of it is gone with the test. */
import { join } from 'node:path'
import { openKit } from '../src/compose/kit.ts'
import { parseReceipt, type Receipt } from '../src/ledger/receipts.ts'
import type { Kit } from '../src/operations/kit.ts'
import { openCheckout } from '../src/operations/projects/checkout.ts'
import type { TreeScene } from '../src/operations/scene.ts'
import { makePlace, type Cleanup, type Files } from './e2e/kit.ts'

export interface RealKit {
  readonly kit: Kit
  /** A person's checkout of `files`. */
  readonly tree: TreeScene
  /** Of every chain, the oldest first. */
  receipts(): Promise<readonly Receipt[]>
}

export function openRealKit(t: Cleanup, files: Files, env: Readonly<Record<string, string>> = {}): RealKit {
  const place = makePlace(t, files, undefined, env)
  const kit = openKit({
    env: place.env,
    offline: true,
    version: '0.0.0',
    launcher: { node: process.execPath, argv: ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '../src/sandbox/launcher-entry.ts')] },
    kill: () => process.kill(process.pid, 'SIGKILL'),
  })
  const tree = openCheckout(kit, place.repository)
  t.after(() => {
    tree.close()
    kit.close()
  })
  return {
    kit,
    tree,
    receipts: async () => (await kit.store.read((tx) => tx.all<{ body: string }>('SELECT body FROM receipts ORDER BY seq'))).map(parseReceipt),
  }
}
