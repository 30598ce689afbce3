/**
 * `vp complete`: the gates hold, passport and manifest are committed with the ledger's head in the trailer, and
 * the human's branch, index and tree move together, or nothing does. What it adds (that commit, and the merge where
 * there is one) is signed with the human's key as `git.sign` says; a key that does not sign leaves all as it was.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VpError } from '../../core/errors.ts'
import { sha256 } from '../../core/json.ts'
import { sealChain } from '../../ledger/checkpoints.ts'
import { commitMessage, printDocument, type ArtifactManifest, type Passport } from '../../ledger/passport.ts'
import { completedKey, countHunks, hunksOf, type FileHunk, type HunkCount } from '../../pas/embedded/autonomy.ts'
import { breachError, firstBreach, openViolations, runTally } from '../../pas/embedded/reducer/gates.ts'
import { groundOf, idleRepair, openRepair } from '../../pas/embedded/reducer/repair.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import type { Tx } from '../../store/contract.ts'
import type { ProjectFile } from '../../plms/contract/types.ts'
import { redactTexts } from '../../policy/redact.ts'
import { readRef } from '../../workspace/git.ts'
import { countSigned } from '../../workspace/commit-object.ts'
import { fastForward, humanState } from '../../workspace/human-repository.ts'
import { commitsAfter, commitTree, handOver, mergeCommits, treeChanges } from '../../workspace/run-repository.ts'
import { moveRef } from '../../workspace/refs.ts'
import { diffTrees, fileAt, withFiles, type TreeChange } from '../../workspace/tree-objects.ts'
import { makeUnifiedDiff } from '../../patch/make.ts'
import { recordImages } from '../before-images.ts'
import { keepBlob } from '../blobs.ts'
import { finishedWords, finishMoves, noteMove } from '../moves.ts'
import type { Kit } from '../kit.ts'
import type { Scene } from '../operation.ts'
import { loadProject, saveProject } from '../projects/project.ts'
import { signingOf, type Signing } from '../signing.ts'
import { changedTests } from './changed-tests.ts'
import { learnFrom } from './learn.ts'
import { keptEvidence } from './evidence.ts'
import { addRepair, withoutMoot } from './repair.ts'
import { openRunScene, signoffOf, type RunScene } from './run-scene.ts'

export interface Completed {
  readonly run_id: string
  readonly from: string
  readonly to: string
  readonly branch: string
  readonly commits: number
  /** How many of them carry a signature. */
  readonly signed: number
  /** Why none does, although nobody said so. */
  readonly not_signed: string | null
  readonly how: 'fast-forward' | 'merge'
  readonly ledger_head: string
  readonly gates: { readonly held: number; readonly of: number }
  readonly tests: {
    readonly before: number | null
    readonly after: number | null
    readonly changed: readonly string[]
  }
  /** Of the run, and those of them that a person has changed meanwhile; absent for runs from before it was counted. */
  readonly hunks?: HunkCount
  /** It was complete before, and nothing was moved now. */
  readonly already: boolean
}

/**
 * Throws `gate.failed`, `run.state`, `workspace.moved`, `budget.cap`, `sign.failed`, `sign.unsupported`; then nothing of
 * the human's was changed. Where `merge` meets a conflict, the run has a repair task more and is open again.
 */
export async function completeRun(scene: Scene, asked: RunState, project: ProjectFile, merge: boolean): Promise<Completed> {
  const { kit } = scene
  scene.notes['run'] = asked.run_id
  if (!idleRepair(asked)) refuseUnready(asked)
  const run = await openRunScene(kit, asked, project)
  const human = await humanState(kit.git, run.human)
  const state = await withoutMoot(scene, asked, async (commit) => human.head !== null && holds(kit, run, human.head, commit))
  refuseUnready(state)
  const branch = human.branch
  const earlier = await completedBefore(kit, state)
  if (earlier && human.head && (await holds(kit, run, human.head, earlier.to))) return { ...earlier, from: earlier.to, already: true }
  if (!branch)
    throw new VpError('workspace.moved', 'HEAD is detached, so there is no branch to move', {
      next: [`git switch -c NAME ${state.head.slice(0, 12)}`, 'vp git pr'],
    })
  if (branch === run.branch)
    throw new VpError('workspace.moved', `you are on ${run.branch.replace('refs/heads/', '')}, which is the run’s own branch`, {
      next: ['git switch -', 'vp git pr'],
    })
  const ground = groundOf(state)
  const sealedBefore = await readRef(kit.git, run.repository.gitDir, run.branch)
  // Killed between moving the branch and recording it: the branch stands where it should, the record is made up for.
  const landed = sealedBefore !== state.head && human.head === sealedBefore
  await refuseLosing(kit, run, [state.head, sealedBefore, human.head])
  // Or the person took the run's commits in by hand, and nothing else.
  const isReady = human.head === ground || human.head === state.head || landed
  if (!isReady && !merge)
    throw new VpError('workspace.moved', `${branch.replace('refs/heads/', '')} has moved since the run began`, {
      why: `it was ${ground.slice(0, 7)}, is ${human.head?.slice(0, 7) ?? 'nothing'}`,
      next: ['vp complete --merge', 'vp git pr'],
    })
  const from = landed ? ground : (human.head ?? ground)
  if (!isReady) {
    const trial = await mergeCommits(kit.git, run.repository.gitDir, state.head, from)
    if (trial.kind === 'conflict') throw await addRepair(scene, run, state, { person: from, branch: branch.replace('refs/heads/', ''), paths: trial.paths })
  }
  const signing = await signingOf(kit, { root: run.human.root, present: scene.caller.confirm !== undefined, signal: scene.signal })
  const sealed = await commitPapers(kit, run, state, signing)
  await handOver(kit.git, run.repository, run.human, { base: ground, head: sealed.commit })
  const to = isReady ? sealed.commit : await mergeOnto(kit, run, { ours: from, theirs: sealed.commit }, signing)
  await publish(kit, run, sealed.commit)
  await keepImages(scene, run, from, to, state)
  kit.point('complete.before')
  if (landed) await refuseHalfMoved(kit, run.human.root)
  else {
    const move = { branch, from, to, message: `vp complete ${state.run_id}` }
    const forget = noteMove(kit, run.human.root, move)
    await fastForward(kit.git, run.human, move, () => kit.point('complete.moving')).finally(forget)
  }
  kit.point('complete.moved')
  scene.onReceipt.push(async (tx) => {
    const record = await loadProject(tx, state.project_id)
    if (record?.status !== 'completed') await learnFrom(tx, state, providerOf(run))
    if (record) await saveProject(tx, { ...record, status: 'completed' })
    await sealChain(tx, kit.clock, kit.key(), state.run_id)
  })
  const gates = runTally(state)
  const commits = await commitsAfter(kit.git, run.human.view, to, [state.base, from])
  const signed = await countSigned(kit.git, run.human.view, commits)
  scene.notes['signed'] = signed
  const completed: Completed = {
    run_id: state.run_id,
    from,
    to,
    branch: branch.replace('refs/heads/', ''),
    how: to === sealed.commit ? 'fast-forward' : 'merge',
    ledger_head: sealed.head,
    gates,
    commits: commits.length,
    signed,
    not_signed: signed === 0 ? signing.note : null,
    tests: {
      before: await testsAt(kit, run, state, ground),
      after: await testsAt(kit, run, state, state.head),
      changed: await changedTests(kit, run, state),
    },
    hunks: countHunks(await diffHunks(kit, run, ground, state.head), await diffHunks(kit, run, state.head, to)),
    already: false,
  }
  scene.onReceipt.push((tx) => rememberCompleted(tx, scene.receiptId, completed))
  return completed
}

/** Throws `workspace.moved` where a kill left the branch moved alone, and something of the person's keeps index and tree from following. */
async function refuseHalfMoved(kit: Kit, root: string): Promise<void> {
  const [half] = (await finishMoves(kit, root)).filter(({ left }) => left !== null)
  if (half) throw new VpError('workspace.moved', finishedWords(half), { next: ['git status', 'git stash, then vp complete'] })
}

/** Beside the measurements: no receipt more in the chain whose head the commit knows. */
async function rememberCompleted(tx: Tx, receiptId: string, completed: Completed): Promise<void> {
  await tx.run(
    'INSERT INTO measurements (key, receipt_id, body) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET receipt_id = excluded.receipt_id, body = excluded.body',
    completedKey(completed.run_id),
    receiptId,
    JSON.stringify(completed),
  )
}

async function completedBefore(kit: Kit, state: RunState): Promise<Completed | null> {
  const row = await kit.store.read((tx) => tx.get<{ body: string }>('SELECT body FROM measurements WHERE key = ?', completedKey(state.run_id)))
  return row ? (JSON.parse(row.body) as Completed) : null
}

async function holds(kit: Kit, run: RunScene, head: string, commit: string): Promise<boolean> {
  return (await kit.git(['merge-base', '--is-ancestor', commit, head], { gitDir: run.human.view, accept: [1, 128] })).code === 0
}

/** How many tests the project's command reported at a commit of the run; null where it was not measured. */
async function testsAt(kit: Kit, run: RunScene, state: RunState, commit: string): Promise<number | null> {
  const evidence = await keptEvidence(kit, state, commit, run.project.test)
  return evidence?.tests?.pass_rate === null ? null : (evidence?.tests?.report.tests.length ?? null)
}

async function diffHunks(kit: Kit, run: RunScene, from: string, to: string): Promise<FileHunk[]> {
  const objects = kit.git.objects(run.human.view)
  const text = async (id: string | null, mode: string) => (id === null || mode === '160000' ? null : (await objects.read(id)).body.toString('latin1'))
  const diffs = (await diffTrees(objects, from, to)).map(async ({ path, oldId, newId, oldMode, newMode }) => {
    const [before, after] = await Promise.all([text(oldId, oldMode), text(newId, newMode)])
    const isBinary = [before, after].some((one) => one?.slice(0, 8000).includes('\0'))
    return isBinary ? `diff --git a/${path} b/${path}\nBinary files differ\n` : makeUnifiedDiff(path, before, after, { context: 0 })
  })
  return hunksOf((await Promise.all(diffs)).join(''))
}

/** Of the run's passport, `name:model`. */
function providerOf(run: RunScene): string {
  const passport = JSON.parse(readFileSync(join(run.directory, 'replay_passport.json'), 'utf8')) as Passport
  return Object.values(passport.providers.lanes)[0] ?? ''
}

function refuseUnready(state: RunState): void {
  if (state.status === 'needs_review' || openViolations(state).length > 0)
    throw breachError(firstBreach(state) ?? state.reason ?? 'a gate failed', {
      next: ['vp validate', ...(idleRepair(state) ? [`git merge vp/${state.run_id}, then vp complete --merge`] : [])],
      changed: 'your branch stays as it is',
    })
  const repair = openRepair(state)
  if (repair)
    throw new VpError('run.state', `T${repair.card.payload.n} of run ${state.run_id} is not done yet: ${repair.card.payload.goal}`, {
      next: ['vp resume', `git merge vp/${state.run_id}, then vp complete --merge`],
      changed: 'your branch stays as it is',
    })
  if (state.status !== 'completed')
    throw new VpError('run.state', `run ${state.run_id} is ${state.status}, not completed`, {
      next: state.status === 'paused' ? ['vp resume'] : ['vp status'],
    })
}

const gatesHeld = (count: number): string => (count === 1 ? '1 gate holds.' : `${count} gates hold.`)

/** One commit more on the run branch: `.vp/runs/<id>/` with passport and manifest. Twice is the same. */
async function commitPapers(kit: Kit, run: RunScene, state: RunState, signing: Signing): Promise<{ commit: string; head: string }> {
  const { git } = kit
  const gitDir = run.repository.gitDir
  const at = (await readRef(git, gitDir, run.branch)) ?? state.head
  const head = await kit.store.read((tx) => tx.get<{ n: number; key: string }>('SELECT n, key FROM heads WHERE run_id = ?', state.run_id))
  if (at !== state.head) return { commit: at, head: head?.key ?? '' }
  const manifest = await makeManifest(kit, run, state, head ?? { n: 0, key: '' })
  const folder = `.vp/runs/${state.run_id}`
  const tree = await withFiles(
    git.objects(gitDir),
    state.head,
    new Map([
      [`${folder}/replay_passport.json`, readFileSync(join(run.directory, 'replay_passport.json'))],
      [`${folder}/artifact_manifest.json`, Buffer.from(printDocument(redactTexts(manifest, kit.redactText)))],
    ]),
  )
  const message = commitMessage(`chore(vp): passport and manifest of ${state.run_id}`, gatesHeld(runTally(state).held), {
    run: state.run_id,
    task: null,
    ledger: { receipts: head?.n ?? 0, head: head?.key ?? '0'.repeat(64) },
    signoff: signoffOf(kit, run),
  })
  const commit = await commitTree(git, gitDir, { tree, parents: [state.head], message, author: run.identity, epochMs: kit.clock.now(), sign: signing.sign })
  await moveRef(kit, gitDir, run.branch, commit, state.head)
  return { commit, head: head?.key ?? '' }
}

async function makeManifest(kit: Kit, run: RunScene, state: RunState, head: { n: number; key: string }): Promise<ArtifactManifest> {
  const changes = await treeChanges(kit.git, run.repository.gitDir, groundOf(state), state.head)
  const artifacts = []
  for (const change of changes) {
    const bytes = change.status === 'D' ? null : await blobOf(kit, run, state.head, change.path)
    artifacts.push({
      path: change.path,
      kind: kindOf(change),
      sha256: bytes ? sha256(bytes) : null,
      bytes: bytes?.length ?? 0,
    })
  }
  const gates = state.order.flatMap((id) =>
    (state.tasks[id]?.kpis ?? [])
      .filter((kpi) => kpi.measured)
      .map((kpi) => ({
        task: `T${state.tasks[id]?.card.payload.n}`,
        kpi_name: kpi.kpi_name,
        value: kpi.value,
        pass: kpi.pass,
      })),
  )
  return {
    run_id: state.run_id,
    from: groundOf(state),
    to: state.head,
    artifacts,
    gates,
    ledger: { receipts: head.n, head: head.key, key_id: kit.key().id },
  }
}

function kindOf(change: TreeChange): string {
  if (change.status === 'D') return 'deleted'
  return /\.(json|ya?ml|toml|ini)$/.test(change.path) ? 'config' : /\.(md|txt|rst)$/.test(change.path) ? 'docs' : 'code'
}

async function blobOf(kit: Kit, run: RunScene, commit: string, path: string): Promise<Buffer> {
  const bytes = await fileAt(kit.git.objects(run.repository.gitDir), commit, path)
  if (bytes === null) throw new VpError('workspace.git', `${path} is not in commit ${commit}`)
  return bytes
}

/** Throws `workspace.moved` where a person has committed on the run's branch: moving it on would take that away. */
async function refuseLosing(kit: Kit, run: RunScene, known: readonly (string | null)[]): Promise<void> {
  const at = await readRef(kit.git, run.human.view, run.branch)
  if (at === null || known.includes(at)) return
  for (const commit of known) if (commit !== null && (await holds(kit, run, commit, at))) return
  const name = run.branch.replace('refs/heads/', '')
  throw new VpError('workspace.moved', `${name} has commits of yours, which the run knows nothing of`, {
    why: `it is at ${at.slice(0, 7)}`,
    next: [`git merge ${name}`, 'vp complete --merge'],
  })
}

/** `vp/<run>` in the human's repository, whose objects are there. */
async function publish(kit: Kit, run: RunScene, commit: string): Promise<void> {
  const at = await readRef(kit.git, run.human.view, run.branch)
  if (at !== commit) await moveRef(kit, run.human.view, run.branch, commit, at)
}

/** Throws `workspace.moved` on a conflict in the papers: markers never reach the human's tree. */
async function mergeOnto(kit: Kit, run: RunScene, { ours, theirs }: { ours: string; theirs: string }, signing: Signing): Promise<string> {
  const merged = await mergeCommits(kit.git, run.human.view, ours, theirs)
  // They went together a moment ago, before the run's papers were added.
  if (merged.kind === 'conflict')
    throw new VpError('workspace.moved', `your branch and the run changed the same paths: ${merged.paths.slice(0, 3).join(', ')}`, {
      next: [`git merge ${run.branch.replace('refs/heads/', '')}`, 'vp git pr'],
    })
  const signoff = signoffOf(kit, run)
  const message = `Merge ${run.branch.replace('refs/heads/', '')}\n${signoff ? `\nSigned-off-by: ${signoff}\n` : ''}`
  return commitTree(kit.git, run.human.view, {
    tree: merged.tree,
    parents: [ours, theirs],
    message,
    author: run.identity,
    epochMs: kit.clock.now(),
    sign: signing.sign,
  })
}

/** What `vp undo` of the run, and of each task, gives back. */
async function keepImages(scene: Scene, run: RunScene, from: string, to: string, state: RunState): Promise<void> {
  const sets: { id: string; from: string; to: string }[] = [{ id: scene.receiptId, from, to }]
  for (const id of state.order) {
    const task = state.tasks[id]
    // A repair is what it brings together: it has no change of its own to take back.
    if (task?.commit && !task.card.payload.merge) sets.push({ id: `${scene.receiptId}#T${task.card.payload.n}`, from: `${task.commit}^`, to: task.commit })
  }
  for (const set of sets) {
    const images = await imagesBetween(scene.kit, run, set.from, set.to)
    scene.onReceipt.push((tx) => recordImages(tx, set.id, run.human.root, images))
  }
}

async function imagesBetween(
  kit: Kit,
  run: RunScene,
  from: string,
  to: string,
): Promise<{ path: string; before: { sha: string; mode: number } | null; after: { sha: string; mode: number } | null }[]> {
  const images = []
  const objects = kit.git.objects(run.human.view)
  const side = async (id: string | null, mode: string) =>
    id === null || !mode.startsWith('100') ? null : { sha: keepBlob(kit, (await objects.read(id)).body), mode: mode === '100755' ? 0o755 : 0o644 }
  for (const { path, oldId, newId, oldMode, newMode } of await diffTrees(objects, from, to)) {
    if (path.startsWith('.vp/')) continue
    images.push({ path, before: await side(oldId, oldMode), after: await side(newId, newMode) })
  }
  return images
}
