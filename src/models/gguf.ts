/**
 * The head of a GGUF file: what the model is, and whether the file is whole. Read before llama.cpp is given a file, since
 * it does not end well with one that is none. Bounded, whatever the numbers in it say. Source: docs/gguf.md of ggml-org/ggml.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { VpError } from '../core/errors.ts'

export interface GgufHead {
  readonly architecture: string
  readonly name: string | null
  readonly trainedTokens: number | null
  readonly chatTemplate: string | null
  readonly tensors: number
  readonly bytes: number
}

const MAX_ENTRIES = 100_000
const MAX_TEXT = 16_000_000
/** Bytes of a value by its type; 8 is text, 9 a list. */
const SIZES: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 }

/** Throws `model.request` for anything that is no whole GGUF of version 2 or 3. */
export function readGgufHead(file: string): GgufHead {
  const broken = (why: string) =>
    new VpError('model.request', `${file} is no whole GGUF: ${why}`, { next: ['vp model pull URL --sha256 HEX'], data: { spent: 'nothing' } })
  const fd = openSync(file, 'r')
  try {
    const bytes = fstatSync(fd).size
    const reader = new Reader(fd, bytes, broken)
    if (reader.take(4).toString('latin1') !== 'GGUF') throw broken('it does not begin as one')
    const version = reader.u32()
    if (version !== 2 && version !== 3) throw broken(`its version is ${version}`)
    const [tensors, entries] = [reader.count(), reader.count()]
    const facts = new Map<string, string | number>()
    for (let i = 0; i < entries; i++) {
      const key = reader.text()
      const value = reader.value(reader.u32())
      if (value !== null) facts.set(key, value)
    }
    for (let i = 0; i < tensors; i++) {
      reader.text()
      const dimensions = reader.u32()
      if (dimensions > 8) throw broken(`a tensor of ${dimensions} dimensions`)
      reader.skip(dimensions * 8 + 4)
      if (reader.u64() >= bytes) throw broken('it ends before its last tensor')
    }
    const architecture = String(facts.get('general.architecture') ?? '')
    if (architecture === '' || tensors === 0) throw broken('it names no architecture or holds no tensors')
    const trained = facts.get(`${architecture}.context_length`)
    const name = facts.get('general.name')
    const template = facts.get('tokenizer.chat_template')
    return {
      architecture,
      name: typeof name === 'string' ? name : null,
      trainedTokens: typeof trained === 'number' ? trained : null,
      chatTemplate: typeof template === 'string' ? template : null,
      tensors,
      bytes,
    }
  } finally {
    closeSync(fd)
  }
}

/** State: where it stands. Reads ahead by blocks; never past the end of the file. */
class Reader {
  private readonly fd: number
  private readonly bytes: number
  private readonly broken: (why: string) => VpError
  private block = Buffer.alloc(0)
  private blockAt = 0
  private at = 0

  constructor(fd: number, bytes: number, broken: (why: string) => VpError) {
    this.fd = fd
    this.bytes = bytes
    this.broken = broken
  }

  take(length: number): Buffer {
    if (this.at + length > this.bytes) throw this.broken(`it ends at byte ${this.bytes}`)
    if (this.at < this.blockAt || this.at + length > this.blockAt + this.block.length) {
      this.block = Buffer.alloc(Math.min(Math.max(length, 1 << 16), this.bytes - this.at))
      readSync(this.fd, this.block, 0, this.block.length, this.at)
      this.blockAt = this.at
    }
    const from = this.at - this.blockAt
    this.at += length
    return this.block.subarray(from, from + length)
  }

  skip(length: number): void {
    if (this.at + length > this.bytes) throw this.broken(`it ends at byte ${this.bytes}`)
    this.at += length
  }

  u32(): number {
    return this.take(4).readUInt32LE()
  }

  u64(): number {
    return Number(this.take(8).readBigUInt64LE())
  }

  count(): number {
    const count = this.u64()
    if (count > MAX_ENTRIES) throw this.broken(`it says that it has ${count} entries`)
    return count
  }

  text(): string {
    const length = this.u64()
    if (length > MAX_TEXT) throw this.broken(`a text of ${length} bytes`)
    return this.take(length).toString('utf8')
  }

  /** null: a list, which nobody here asks for. */
  value(type: number): string | number | null {
    if (type === 8) return this.text()
    if (type === 9) return this.list(0)
    const size = SIZES[type]
    if (size === undefined) throw this.broken(`a value of type ${type}`)
    const bytes = this.take(size)
    return type === 4 || type === 5 ? bytes.readUInt32LE() : size === 8 ? Number(bytes.readBigUInt64LE()) : (bytes[0] ?? 0)
  }

  private list(depth: number): null {
    const type = this.u32()
    const length = this.u64()
    const size = SIZES[type]
    if (size !== undefined) this.skip(length * size)
    else if (depth > 4 || length > 10_000_000) throw this.broken(`a list of ${length}`)
    else
      for (let i = 0; i < length; i++)
        if (type === 9) this.list(depth + 1)
        else if (type === 8) this.skip(this.u64())
        else throw this.broken(`a list of type ${type}`)
    return null
  }
}
