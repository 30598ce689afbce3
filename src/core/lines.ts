/** Lines with their LF, as git counts them: a CR-only file is one line, and a last line may lack its end. */
export function splitLf(text: string): string[] {
  const lines = text.split('\n')
  const last = lines.pop() ?? ''
  const ended = lines.map((line) => `${line}\n`)
  return last === '' ? ended : [...ended, last]
}
