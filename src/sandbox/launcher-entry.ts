/**
 * Starts the launcher as a program of its own, from source. The bundle has a private first argument for it instead.
 */
import { launcherMain } from './launcher.ts'

launcherMain()
