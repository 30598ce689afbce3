/**
 * A cap on processes that the kernel holds for root too: vp moves itself into a pids cgroup of its own, once, and what
 * it starts inherits that. Entering costs about 18 ms of kernel time, so it is paid once a process and not once a run;
 * what the runs at hand may have together is written anew with each, and the watchdog tells them apart.
 * Best effort: without it the watchdog stands alone. v1 is tested, v2 as documented in cgroup-v2.rst.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFile, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Threads of vp itself and of what it runs outside a sandbox. */
const OWN_TASKS = 256

/** The group of this process, once it is in; null where cgroups are absent, read-only or without the pids controller. */
let entered: Promise<string | null> | undefined
let promised = 0

/** Makes room for a run of so many tasks. Gives what takes the room away again. */
export async function capTasks(tasks: number): Promise<() => void> {
  const group = await (entered ??= enter())
  if (group === null) return () => {}
  const change = (by: number) => {
    promised += by
    try {
      write(group)
    } catch {
      // It was taken away: the watchdog stands alone, and a run's result is worth more than its cap.
    }
  }
  change(tasks)
  return () => change(-tasks)
}

function write(group: string): void {
  // What a bomb leaves counts until the machine has reaped it, and must not keep vp itself from starting anything.
  const left = promised === 0 ? Number(readFileSync(join(group, 'pids.current'), 'latin1')) : 0
  writeFileSync(join(group, 'pids.max'), String(OWN_TASKS + promised + left))
}

/** Off this thread: the kernel may take its time over it. */
function joinGroup(group: string): Promise<void> {
  return new Promise((resolve, reject) => writeFile(join(group, 'cgroup.procs'), String(process.pid), (error) => (error ? reject(error) : resolve())))
}

async function enter(): Promise<string | null> {
  try {
    const parent = ownGroup()
    if (parent === null) return null
    sweep(parent)
    const group = join(parent, `vp-${process.pid}`)
    mkdirSync(group)
    try {
      writeFileSync(join(group, 'pids.max'), String(OWN_TASKS))
      await joinGroup(group)
    } catch {
      rmdirSync(group)
      return null
    }
    return group
  } catch {
    // Not allowed here: said in the weaknesses of a run as root.
    return null
  }
}

/** The directory of the cgroup that counts this process. */
function ownGroup(): string | null {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n')
  const v1 = lines.map((line) => /^\d+:(?:.*,)?pids(?:,.*)?:(.*)$/.exec(line)?.[1]).find((path) => path !== undefined)
  const v2 = lines.map((line) => /^0::(.*)$/.exec(line)?.[1]).find((path) => path !== undefined)
  const places = [...(v1 === undefined ? [] : [join('/sys/fs/cgroup/pids', v1)]), ...(v2 === undefined ? [] : [join('/sys/fs/cgroup', v2)])]
  return places.find((place) => existsSync(join(place, 'cgroup.procs'))) ?? null
}

/** Nobody can remove the group it is in: an earlier vp's is empty once it has ended, and goes now. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = /^vp-(\d+)(?:-|$)/.exec(name)?.[1]
    // One of this very number is from before: this process is in none yet.
    if (pid === undefined || (Number(pid) !== process.pid && existsSync(`/proc/${pid}`))) continue
    try {
      rmdirSync(join(parent, name))
    } catch {
      // Something that vp started still runs in it, or another vp was quicker.
    }
  }
}
