/** A command of the project that is measured: structurally the `ProjectCommand` of `.vp/project.json`. */
export interface ProjectCommandShape {
  readonly argv: readonly string[]
  readonly runner: string
  readonly report_args: readonly string[]
  /** Where the report arguments go instead of behind `argv`. */
  readonly report_in?: 'NODE_OPTIONS'
  readonly report: {
    readonly format: 'tap' | 'junit' | 'go-json' | 'cargo' | 'exit'
    readonly from: 'stdout' | 'file'
    readonly path?: string
  }
}
