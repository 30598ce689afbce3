/**
 * Rights as words. One vocabulary, upstream's names mapped to it; which actor may hold which. An agent can never hold
 * what approves, overrides, publishes or shows secrets, whatever its token says.
 */
import type { Actor } from './argv.ts'

export const SCOPES = [
  'projects.view',
  'projects.create',
  'projects.start',
  'projects.simulate',
  'projects.approve',
  'budget.override',
  'run.control',
  'quality.override',
  'portfolio.view',
  'fs.read',
  'secrets.read',
  'fs.write',
  'search',
  'run.exec',
  'git.read',
  'git.commit',
  'git.push',
  'rag.use',
  'model.use',
  'policy.set',
  'audit.read',
] as const
export type Scope = (typeof SCOPES)[number]

const UPSTREAM: Readonly<Record<string, Scope>> = {
  'projects.budget': 'budget.override',
  'pas.pause': 'run.control',
  'kpi.override': 'quality.override',
}
const AGENT: readonly Scope[] = ['fs.read', 'fs.write', 'search', 'run.exec', 'rag.use', 'git.read']
const NOT_FOR_CI: readonly Scope[] = ['projects.approve', 'budget.override', 'git.push']
const NOT_FOR_REMOTE: readonly Scope[] = ['projects.approve', 'budget.override', 'git.push', 'secrets.read', 'policy.set', 'quality.override']
/** A client on stdio may be a model, and a model's questions are for a person to answer. */
const NOT_FOR_STDIO: readonly Scope[] = ['projects.approve', 'budget.override', 'secrets.read']
/** A relay carries words and events, so it sees and starts, and acts on nothing. */
const RELAY: readonly Scope[] = ['projects.view', 'portfolio.view', 'run.control', 'audit.read']

export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text)
}

/** The scope that a name on the wire means; null for an unknown one. */
export function scopeNamed(text: string): Scope | null {
  return isScope(text) ? text : Object.hasOwn(UPSTREAM, text) ? (UPSTREAM[text] ?? null) : null
}

/** What an actor holds without a token that says otherwise. */
export function scopesOf(actor: Actor): ReadonlySet<Scope> {
  if (actor === 'agent') return new Set(AGENT)
  if (actor === 'relay') return new Set(RELAY)
  const not = actor === 'ci' ? NOT_FOR_CI : actor === 'remote' ? NOT_FOR_REMOTE : []
  return new Set(SCOPES.filter((scope) => !not.includes(scope)))
}

/** The scopes of a token in an actor's hand: an agent's stay within the agent's, a person's are what the token says. */
export function scopesOfToken(actor: Actor, granted: readonly string[]): ReadonlySet<Scope> {
  const named = granted.map(scopeNamed).filter((scope) => scope !== null)
  return new Set(actor === 'agent' ? named.filter((scope) => AGENT.includes(scope)) : named)
}

/** What a client on stdio holds: what whoever started it named, else the actor's without what answers vp's own questions. */
export function scopesOfStdio(actor: Actor, granted: readonly string[]): ReadonlySet<Scope> {
  if (granted.length > 0) return scopesOfToken(actor, granted)
  return new Set([...scopesOf(actor)].filter((scope) => !NOT_FOR_STDIO.includes(scope)))
}
