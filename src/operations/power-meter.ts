/**
 * What this machine draws while a call goes on, where that can be read: the CPU package's own counter (RAPL) and the
 * graphics card's draw (NVML, by `nvidia-smi`). Both see everything that runs; calls at the same time share it. Where
 * neither can be read there is no meter, and nothing is started. Source: Linux, powercap sysfs.
 */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Metered } from '../models/energy.ts'

export interface PowerMeter {
  /** Begins a reading; the function ends it, null where nothing could be read. */
  begin(): () => Promise<Metered | null>
}

export interface PowerMeterPorts {
  /** `/sys/class/powercap` */
  readonly powercap: string
  readonly path: string
  monotonic(): number
}

interface Counter {
  readonly file: string
  /** It begins anew at 0 after this. */
  readonly range: number
}

const MICROJOULE_PER_KWH = 3.6e12
const PATIENCE_MS = 1000

/** null: nothing on this machine can be read. Looks once. */
export function openPowerMeter(ports: PowerMeterPorts): PowerMeter | null {
  const counters = packageCounters(ports.powercap)
  const nvidia = findProgram('nvidia-smi', ports.path)
  if (counters.length === 0 && nvidia === null) return null
  let active = 0
  return {
    begin() {
      active++
      let most = active
      const startedAt = ports.monotonic()
      const before = counters.map(({ file }) => readCounter(file))
      const draw = nvidia === null ? Promise.resolve(null) : gpuWatts(nvidia)
      return async () => {
        most = Math.max(most, active)
        active--
        const hours = (ports.monotonic() - startedAt) / 3_600_000
        const cpu =
          counters.length === 0
            ? null
            : drawn(
                counters,
                before,
                counters.map(({ file }) => readCounter(file)),
              )
        const watts = await draw
        if (cpu === null && watts === null) return null
        const kwh = ((cpu ?? 0) / MICROJOULE_PER_KWH + ((watts ?? 0) / 1000) * hours) / most
        return { kwh, method: cpu === null ? 'nvml' : watts === null ? 'rapl' : 'rapl+nvml' }
      }
    },
  }
}

/** Of each package; their parts are in them. Counters that only root may read are none. */
function packageCounters(folder: string): Counter[] {
  try {
    return readdirSync(folder).flatMap((name) => {
      if (!/^intel-rapl:\d+$/.test(name)) return []
      try {
        if (!readFileSync(join(folder, name, 'name'), 'utf8').startsWith('package')) return []
        const file = join(folder, name, 'energy_uj')
        const range = Number(readFileSync(join(folder, name, 'max_energy_range_uj'), 'utf8'))
        return readCounter(file) === null || !(range > 0) ? [] : [{ file, range }]
      } catch {
        return [] // not to be read by this person
      }
    })
  } catch {
    return [] // no such machine
  }
}

function readCounter(file: string): number | null {
  try {
    const value = Number(readFileSync(file, 'utf8'))
    return Number.isFinite(value) && value >= 0 ? value : null
  } catch {
    return null
  }
}

/** Microjoule between two readings, over the end of a counter's range once; null where one is missing. */
export function drawn(counters: readonly Counter[], before: readonly (number | null)[], after: readonly (number | null)[]): number | null {
  let sum = 0
  for (const [index, { range }] of counters.entries()) {
    const [from, to] = [before[index] ?? null, after[index] ?? null]
    if (from === null || to === null) return null
    sum += to >= from ? to - from : range - from + to
  }
  return sum
}

/** Of all cards together; null where the program says nothing of the kind. */
function gpuWatts(program: string): Promise<number | null> {
  return new Promise((resolve) => {
    execFile(program, ['--query-gpu=power.draw', '--format=csv,noheader,nounits'], { timeout: PATIENCE_MS }, (error, stdout) => {
      const watts = stdout
        .trim()
        .split('\n')
        .map((line) => Number.parseFloat(line))
      resolve(error !== null || watts.length === 0 || watts.some((one) => !Number.isFinite(one)) ? null : watts.reduce((a, b) => a + b, 0))
    })
  })
}

function findProgram(name: string, path: string): string | null {
  for (const folder of path.split(delimiter)) if (folder.startsWith('/') && existsSync(join(folder, name))) return join(folder, name)
  return null
}
