/** What the ways of spoiling are made of: a case, and changes of a diff's headers, bodies, hunks or of the file itself. */

export interface Case {
  readonly lang: string
  readonly path: string
  readonly before: string
  readonly after: string
  /** As git writes it: headers, hunks with three lines of context. */
  readonly patch: string
}

export interface Spoiled {
  readonly patch: string
  readonly before: Buffer
  readonly after: Buffer
  /** Told beside the patch, where the way takes the headers off. */
  readonly path?: string
}

/** null: this way says nothing about such a case. */
export type Spoil = (one: Case, chance: () => number) => Spoiled | null

export function unspoiled(one: Case): Spoiled {
  return { patch: one.patch, before: Buffer.from(one.before), after: Buffer.from(one.after) }
}

export function inPatch(change: (patch: string, one: Case, chance: () => number) => string | null): Spoil {
  return (one, chance) => {
    const patch = change(one.patch, one, chance)
    return patch === null || patch === one.patch ? null : { ...unspoiled(one), patch }
  }
}

export function eachHeader(change: (header: string, chance: () => number) => string): Spoil {
  return inPatch((patch, _one, chance) => patch.replace(/^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@.*$/gm, (header) => change(header, chance)))
}

/** A case of a plain file: other line ends or a mark of its own would blur what is asked. */
export function file(change: (text: string) => Buffer): Spoil {
  return (one) => (/[\r\uFEFF]/.test(one.before + one.after) ? null : { patch: one.patch, before: change(one.before), after: change(one.after) })
}

/** Body lines of hunks only, never a header. */
export function inBodies(patch: string, change: (line: string) => string): string {
  let isBody = false
  return patch
    .split('\n')
    .map((line) => {
      if (line.startsWith('@@')) isBody = true
      else if (line.startsWith('diff --git')) isBody = false
      else if (isBody) return change(line)
      return line
    })
    .join('\n')
}

/** Context lines with another indentation; null leaves the line alone. */
export function indented(patch: string, change: (indent: string) => string | null): string {
  return inBodies(patch, (line) => {
    const indent = /^ ([\t ]+)(?=\S)/.exec(line)?.[1]
    const other = indent === undefined ? null : change(indent)
    return indent === undefined || other === null ? line : ` ${other}${line.slice(1 + indent.length)}`
  })
}

export function hunksOf(patch: string): { head: string; hunks: string[] } {
  const [head = '', ...hunks] = patch.split(/^(?=@@ )/m)
  return { head, hunks }
}

/** The hunk with one line of context on either side, its numbers mended. */
export function shortened(hunk: string): string {
  const [header = '', ...body] = hunk.split('\n')
  if (body.at(-1) === '') body.pop()
  const numbers = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)$/.exec(header)
  if (!numbers || body.some((line) => line.startsWith('\\'))) return hunk
  const first = body.findIndex((line) => !line.startsWith(' '))
  const last = body.findLastIndex((line) => !line.startsWith(' '))
  const cut = Math.max(0, first - 1)
  const kept = body.slice(cut, Math.min(body.length, last + 2))
  const count = (kind: string) => kept.filter((line) => line[0] === kind || line[0] === ' ' || line === '').length
  const start = (at: string | undefined) => Number(at) + cut
  return `@@ -${start(numbers[1])},${count('-')} +${start(numbers[2])},${count('+')} @@${numbers[3] ?? ''}\n${kept.join('\n')}\n`
}
