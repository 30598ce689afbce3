/**
 * Where the slice comes from: pinned versions of npm packages that ship their sources, and of Debian source packages
 * with their patches. Permissive licences only. Leaves out what a registry or mirror is called: npm and apt know.
 */

export interface NpmSource {
  readonly kind: 'npm'
  readonly name: string
  /** Published one after the other: each with the next is a pair. */
  readonly versions: readonly string[]
  readonly licence: string
}

export interface DebianSource {
  readonly kind: 'debian'
  readonly name: string
  readonly version: string
  readonly licence: string
  /** The packaging has other terms than the program: only patches that upstream made are taken. */
  readonly upstreamOnly?: true
}

export type Source = NpmSource | DebianSource

function npm(name: string, licence: string, ...versions: string[]): NpmSource {
  return { kind: 'npm', name, licence, versions }
}

function debian(name: string, version: string, licence: string): DebianSource {
  return { kind: 'debian', name, version, licence }
}

export const SOURCES: readonly Source[] = [
  npm('rxjs', 'Apache-2.0', '7.5.5', '7.5.6', '7.5.7', '7.6.0', '7.7.0', '7.8.0', '7.8.1'),
  npm('@reduxjs/toolkit', 'MIT', '2.8.2', '2.9.0', '2.9.1', '2.9.2'),
  npm('reselect', 'MIT', '5.0.1', '5.1.0', '5.1.1'),
  npm('@noble/curves', 'MIT', '1.9.0', '1.9.1', '1.9.2', '1.9.3'),
  npm('@noble/hashes', 'MIT', '1.6.1', '1.7.0', '1.7.1', '1.7.2'),
  npm('viem', 'MIT', '2.21.0', '2.21.1', '2.21.2', '2.21.3'),
  npm('abitype', 'MIT', '1.0.5', '1.0.6', '1.0.7', '1.0.8'),
  npm('effect', 'MIT', '3.19.19', '3.20.0', '3.20.1'),
  npm('@tanstack/query-core', 'MIT', '5.105.0', '5.105.1', '5.105.2', '5.105.3'),
  npm('@tanstack/table-core', 'MIT', '8.20.1', '8.20.5', '8.21.2', '8.21.3'),
  npm('msw', 'MIT', '2.13.0', '2.13.1', '2.13.2', '2.13.3', '2.13.4'),
  npm('zod', 'MIT', '4.3.4', '4.3.5', '4.3.6'),
  npm('fastify', 'MIT', '5.7.4', '5.8.0', '5.8.1', '5.8.2', '5.8.3'),
  npm('undici', 'MIT', '6.20.0', '6.21.0', '7.0.0', '7.1.0', '7.1.1', '7.2.0'),
  npm('pino', 'MIT', '9.0.0', '9.1.0', '9.2.0', '9.3.0', '9.3.1', '9.3.2', '9.4.0', '9.5.0', '9.6.0'),
  npm('commander', 'MIT', '12.0.0', '12.1.0', '13.0.0', '13.1.0', '14.0.0'),
  npm('express', 'MIT', '4.18.2', '4.18.3', '4.19.0', '4.19.1', '4.19.2', '4.20.0'),
  npm('dotenv', 'BSD-2-Clause', '16.3.0', '16.3.1', '16.4.0', '16.4.1', '16.4.2', '16.4.3', '16.4.4', '16.4.5'),
  npm('knex', 'MIT', '2.5.0', '2.5.1', '3.0.0', '3.0.1', '3.1.0'),
  npm('ws', 'MIT', '8.14.2', '8.15.0', '8.16.0', '8.17.0'),
  npm('chalk', 'MIT', '5.0.0', '5.0.1', '5.1.0', '5.2.0'),
  npm('axios', 'MIT', '1.12.1', '1.12.2', '1.13.0', '1.13.1'),
  npm('semver', 'ISC', '7.5.3', '7.5.4', '7.6.0', '7.6.1', '7.6.2', '7.6.3'),
  debian('curl', '7.88.1-10+deb12u15', 'curl'),
  debian('expat', '2.5.0-1+deb12u2', 'MIT'),
  debian('libxml2', '2.9.14+dfsg-1.3~deb12u6', 'MIT'),
  debian('tiff', '4.5.0-6+deb12u4', 'libtiff'),
  debian('libarchive', '3.6.2-1+deb12u5', 'BSD-2-Clause'),
  debian('openssh', '1:9.2p1-2+deb12u10', 'BSD-2-Clause AND ISC'),
  debian('nginx', '1.22.1-9+deb12u9', 'BSD-2-Clause'),
  { ...debian('c-ares', '1.18.1-3', 'MIT'), upstreamOnly: true },
  debian('python3.11', '3.11.2-6+deb12u8', 'PSF-2.0'),
  debian('python-django', '3:3.2.25-0+deb12u3', 'BSD-3-Clause'),
  debian('jinja2', '3.1.2-1+deb12u3', 'BSD-3-Clause'),
  debian('python-pip', '23.0.1+dfsg-1', 'MIT'),
  debian('golang-golang-x-tools', '1:0.5.0+ds-1', 'BSD-3-Clause'),
  debian('golang-golang-x-net', '1:0.7.0+dfsg-1', 'BSD-3-Clause'),
  debian('golang-golang-x-sys', '0.3.0-1', 'BSD-3-Clause'),
  debian('golang-golang-x-text', '0.7.0-1', 'BSD-3-Clause'),
  debian('golang-github-containers-image', '5.23.1-4', 'Apache-2.0'),
  debian('containerd', '1.6.20~ds1-1+deb12u3', 'Apache-2.0'),
  debian('runc', '1.1.5+ds1-1+deb12u1', 'Apache-2.0'),
  debian('docker.io', '20.10.24+dfsg1-1+deb12u1', 'Apache-2.0'),
  debian('etcd', '3.4.23-4', 'Apache-2.0'),
  debian('prometheus', '2.42.0+ds-5+deb12u1', 'Apache-2.0'),
  debian('caddy', '2.6.2-5', 'Apache-2.0'),
  debian('libpod', '4.3.1+ds1-8+deb12u1', 'Apache-2.0'),
  debian('rclone', '1.60.1+dfsg-2', 'MIT'),
  debian('rustc', '1.63.0+dfsg1-2', 'MIT OR Apache-2.0'),
  debian('cargo', '0.66.0+ds1-1', 'MIT OR Apache-2.0'),
  debian('python-cryptography', '38.0.4-3+deb12u1', 'BSD-3-Clause OR Apache-2.0'),
  debian('rust-clap', '4.0.32-1', 'MIT OR Apache-2.0'),
  debian('rust-fd-find', '8.6.0-3', 'MIT OR Apache-2.0'),
  debian('rust-ripgrep', '13.0.0-4', 'MIT OR Unlicense'),
]
