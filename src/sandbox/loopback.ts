/** Whether a command failed for want of a loopback of its own, by what it printed. Pure. */

const SAID: Readonly<Record<string, RegExp>> = {
  // The filter refuses the kind of socket.
  landlock: /EAFNOSUPPORT/,
  // The profile refuses the call; files are refused in the same word, so the call is named too.
  seatbelt: /\b(?:listen|bind|connect) EPERM\b|\bbind: operation not permitted\b/,
}

export function missedLoopback(backend: string, output: string): boolean {
  return SAID[backend]?.test(output) ?? false
}
