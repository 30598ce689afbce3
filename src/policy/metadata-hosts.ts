/** Addresses of a cloud's metadata service inside an argument, in any notation that a URL parser reads as the same host. Pure. */

import { asUrlText } from './url-text.ts'

const HOSTS: ReadonlySet<string> = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '100.100.100.200',
  'metadata.google.internal',
  'metadata.google.internal.',
  '[fd00:ec2::254]',
  '[::ffff:a9fe:a9fe]',
  '[::ffff:a9fe:aa02]',
])
const PLAIN = ['169.254.169.254', 'metadata.google.internal', 'fd00:ec2::254', '100.100.100.200', '169.254.170.2']
const MAX_HOST = 253

export function namesMetadataHost(argument: string): boolean {
  const text = asUrlText(argument).toLowerCase()
  if (PLAIN.some((host) => text.includes(host))) return true
  // Only what could be an address in another notation is worth parsing: it begins with a digit, or with a bracket.
  return text.split(/[\s,;=@"'`<>()|/\\?#]+/).some((part) => /^[[\d]/.test(part) && part.length <= MAX_HOST && HOSTS.has(hostOf(part)))
}

function hostOf(part: string): string {
  return URL.parse(`http://${part}/`)?.hostname ?? ''
}
