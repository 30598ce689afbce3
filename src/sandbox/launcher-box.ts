/**
 * Builds the box from inside: runs as the first process of fresh namespaces (made by util-linux `unshare`), lays out
 * the view below a tmpfs, makes it the root, gives up every capability and becomes the command. Built-ins only.
 */
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ATTR, MOUNT, type Libc } from './launcher-libc.ts'
import type { BoxOrders } from './orders.ts'
import type { ViewStep } from './view.ts'

const O_PATH = 0o10000000
/** Hidden only in this mount namespace; sources below it are held open before. */
const BASE = '/tmp'
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

/** Throws when any part of the box cannot be made; the command has not run then. */
export function enterBox(libc: Libc, orders: BoxOrders): void {
  const sources = new Map<string, number>()
  const hold = (path: string) => sources.set(path, openSync(path, O_PATH))
  for (const step of orders.steps) if ((step.do === 'ro' || step.do === 'rw') && !isProc(step)) hold(step.from)
  for (const device of DEVICES) hold(`/dev/${device}`)
  libc.mount('none', '/', null, MOUNT.rec | MOUNT.private, null)
  libc.mount('tmpfs', BASE, 'tmpfs', MOUNT.nosuid | MOUNT.nodev, 'size=1m,mode=0755')
  for (const step of orders.steps) layOut(libc, step, sources)
  process.chdir(BASE)
  libc.pivotIntoHere()
  libc.detach('.')
  process.chdir('/')
  libc.addMountAttributes('/', ATTR.rdonly, false)
  for (const fd of sources.values()) closeSync(fd)
  if (orders.hasOwnNetwork) libc.loopbackUp()
  libc.setHostname('vp')
}

function isProc(step: ViewStep): boolean {
  return step.at.startsWith('/proc/')
}

function layOut(libc: Libc, step: ViewStep, sources: ReadonlyMap<string, number>): void {
  const target = BASE + step.at
  switch (step.do) {
    case 'ro':
    case 'rw':
      // A part of the box's own /proc covers itself: the host's would be another process's view.
      if (isProc(step)) return bindPath(libc, target, target, ATTR.rdonly)
      return bind(libc, sources, step.from, target, step.do === 'ro' ? ATTR.rdonly | ATTR.nosuid | ATTR.nodev : ATTR.nosuid | ATTR.nodev)
    case 'tmpfs':
      mkdirSync(target, { recursive: true })
      return libc.mount('tmpfs', target, 'tmpfs', MOUNT.nosuid | MOUNT.nodev, `size=${step.bytes},mode=${step.at.startsWith('/home') ? '0755' : '1777'}`)
    case 'link':
      return symlinkSync(step.target, target)
    case 'dir':
      return void mkdirSync(target, { recursive: true })
    case 'proc':
      mkdirSync(target, { recursive: true })
      return libc.mount('proc', target, 'proc', MOUNT.nosuid | MOUNT.nodev | MOUNT.noexec, null)
    case 'dev':
      return layOutDevices(libc, target, sources)
  }
}

function bind(libc: Libc, sources: ReadonlyMap<string, number>, from: string, target: string, attributes: number): void {
  const fd = sources.get(from)
  if (fd === undefined) throw new Error(`${from} is not held`)
  makeTarget(target, fstatSync(fd).isDirectory())
  bindPath(libc, `/proc/self/fd/${fd}`, target, attributes)
}

function bindPath(libc: Libc, from: string, target: string, attributes: number): void {
  libc.mount(from, target, null, MOUNT.bind | MOUNT.rec, null)
  if (attributes !== 0) libc.addMountAttributes(target, attributes, true)
}

function makeTarget(target: string, isDirectory: boolean): void {
  if (lstatSync(target, { throwIfNoEntry: false })) return
  mkdirSync(isDirectory ? target : dirname(target), { recursive: true })
  if (!isDirectory) closeSync(openSync(target, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o444))
}

function layOutDevices(libc: Libc, target: string, sources: ReadonlyMap<string, number>): void {
  mkdirSync(target, { recursive: true })
  libc.mount('tmpfs', target, 'tmpfs', MOUNT.nosuid | MOUNT.noexec, 'size=64k,mode=0755')
  for (const device of DEVICES) bind(libc, sources, `/dev/${device}`, `${target}/${device}`, ATTR.nosuid)
  symlinkSync('/proc/self/fd', `${target}/fd`)
  for (const [name, number] of [
    ['stdin', 0],
    ['stdout', 1],
    ['stderr', 2],
  ] as const)
    symlinkSync(`/proc/self/fd/${number}`, `${target}/${name}`)
  mkdirSync(`${target}/pts`)
  mkdirSync(`${target}/shm`)
  try {
    libc.mount('devpts', `${target}/pts`, 'devpts', MOUNT.nosuid | MOUNT.noexec, 'newinstance,ptmxmode=0666,mode=620')
    symlinkSync('pts/ptmx', `${target}/ptmx`)
  } catch {
    // Some containers forbid it; then there are no terminals in the box, and few tests want one.
    writeFileSync(`${target}/ptmx`, '')
  }
}
