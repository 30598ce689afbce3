/**
 * The machine's signing key: Ed25519 (RFC 8032), made at first use, in the state directory with mode 0600.
 * The public half and its id go into every passport, so that a colleague can check without asking.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { makeDirectory } from '../store/make-directory.ts'

export interface SigningKey {
  /** First 16 hex digits of SHA-256 over the SPKI bytes. */
  readonly id: string
  /** SPKI, base64. */
  readonly publicKey: string
  sign(bytes: Buffer): Buffer
  verify(bytes: Buffer, signature: Buffer): boolean
}

/** Loads the key or makes it; two processes at once agree on one. Throws `config.invalid` when others can read it. */
export function openSigningKey(path: string): SigningKey {
  let pem = readOrNull(path)
  if (pem === null) {
    makeDirectory(dirname(path), 0o700)
    const fresh = `${path}.${process.pid}`
    const fd = openSync(fresh, 'wx', 0o600)
    writeSync(fd, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
    fsyncSync(fd)
    closeSync(fd)
    try {
      linkSync(fresh, path) // fails when somebody else was first: theirs counts
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      rmSync(fresh, { force: true })
    }
    pem = readFileSync(path, 'utf8')
  }
  if ((statSync(path).mode & 0o077) !== 0)
    throw new VpError('config.invalid', `the signing key can be read by others`, {
      where: { file: path },
      next: [`chmod 600 ${path}`],
    })
  const privateKey = createPrivateKey(pem)
  const publicKey = createPublicKey(privateKey)
  return { ...publicHalf(publicKey), sign: (bytes) => sign(null, bytes, privateKey) }
}

/** A key that can only check: from a passport or a bundle. Throws when it is not Ed25519 SPKI. */
export function verifyingKey(publicKey: string): Omit<SigningKey, 'sign'> {
  const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' })
  if (key.asymmetricKeyType !== 'ed25519') throw new VpError('bundle.invalid', 'the public key is not Ed25519')
  return publicHalf(key)
}

function publicHalf(key: KeyObject): Omit<SigningKey, 'sign'> {
  const der = key.export({ type: 'spki', format: 'der' })
  return {
    id: sha256(der).slice(0, 16),
    publicKey: der.toString('base64'),
    verify: (bytes, signature) => verify(null, bytes, key, signature),
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
