/**
 * The one table of operations: everything that vp can do, by the name that is JSON-RPC method, verb of the receipt
 * and entry of `rpc.discover`. A new operation is a file, a line here and a test.
 */
import { runDo } from './do.ts'
import { contextShow } from './context-show.ts'
import { egressShow } from './egress.ts'
import { runFork } from './fork.ts'
import { fsDiff } from './fs-diff.ts'
import { fsEdit, fsList, fsPatch, fsRead, fsWrite } from './fs.ts'
import { gitBranch, gitCommit, gitDiff, gitLog, gitShow, gitStatus } from './git.ts'
import { gitPr } from './git-pr.ts'
import type { Operation } from './operation.ts'
import { plmsApprove, plmsCreate, plmsEstimate, plmsPlan, plmsSimulate, plmsStart } from './plms.ts'
import { gitPush } from './publish.ts'
import { modelList, modelShow } from './model-list.ts'
import { modelSet } from './model-setting.ts'
import { modelTest } from './model-test.ts'
import { modelPull } from './model-pull.ts'
import { modelProbe } from './model-probe.ts'
import { runLogs, runStatusRead, runSubscribe } from './run-look.ts'
import { runBuild, runExec, runLint, runTest } from './run.ts'
import { ledgerAccept, runApprove, runComplete, runExport, runPause, runReplay, runResume, runTerminate, runUndo, runValidate, runVerify } from './runs.ts'
import { searchCode } from './search.ts'
import { runTell } from './tell.ts'

/** In the order in which a reader meets them. */
export const OPERATIONS: readonly Operation[] = [
  fsRead,
  fsList,
  fsDiff,
  fsPatch,
  fsWrite,
  fsEdit,
  searchCode,
  runTest,
  runLint,
  runBuild,
  runExec,
  gitStatus,
  gitDiff,
  gitLog,
  gitShow,
  gitBranch,
  gitCommit,
  gitPush,
  gitPr,
  plmsCreate,
  plmsPlan,
  plmsEstimate,
  plmsSimulate,
  plmsApprove,
  plmsStart,
  runDo,
  runStatusRead,
  runLogs,
  runSubscribe,
  runPause,
  runResume,
  runTerminate,
  runTell,
  runApprove,
  runValidate,
  runComplete,
  runUndo,
  runVerify,
  ledgerAccept,
  runExport,
  runReplay,
  runFork,
  egressShow,
  contextShow,
  modelList,
  modelShow,
  modelSet,
  modelTest,
  modelProbe,
  modelPull,
]
