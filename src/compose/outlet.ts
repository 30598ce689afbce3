/** The filter for what a command says when it fails: whatever failed, and wherever. Loaded when something did. */
import { loadConfig } from '../config/config.ts'
import { pathsFrom } from '../config/paths.ts'
import { createMasking, type Masking } from '../operations/masking.ts'
import { environmentSecrets } from '../policy/dotenv.ts'
import { fileSecrets, workspaceSecrets } from './known-secrets.ts'

type Environment = Readonly<Record<string, string | undefined>>

export { maskedError } from '../operations/masking.ts'

export function outletOf(env: Environment, cwd: string): Masking {
  return createMasking({ known: [...environmentSecrets(env), ...configured(env), ...workspaceSecrets(cwd)] })
}

function configured(env: Environment): ReturnType<typeof fileSecrets> {
  try {
    return fileSecrets(loadConfig(pathsFrom(env).configFile, env).config.secrets.files, env)
  } catch {
    return [] // the configuration itself may be what failed
  }
}
