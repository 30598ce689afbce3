/** Where the bundled ripgrep lies: looked up through its package, whatever tree npm made. */
import { createRequire } from 'node:module'

export function ripgrepPath(): string {
  const require = createRequire(import.meta.url)
  return (require('@vscode/ripgrep') as { rgPath: string }).rgPath
}
