/**
 * Lanes: PLMS numbers them, PAS names them; people and PRDs write either. Source: contracts/plms.md section 5.
 */
import type { Complexity, PasLane } from '../../pas/contract/types.ts'

export interface PlmsLane {
  readonly id: number
  readonly name: string
  readonly cap: number
  readonly pas: PasLane | null
}

export const PLMS_LANES: readonly PlmsLane[] = [
  { id: 4200, name: 'Code-API', cap: 4, pas: 'Code-Impl' },
  { id: 4201, name: 'Code-Test', cap: 4, pas: 'Code-Impl' },
  { id: 4202, name: 'Code-Docs', cap: 3, pas: 'Narrative' },
  { id: 4210, name: 'Code-API-Design', cap: 4, pas: 'Code-API-Design' },
  { id: 5100, name: 'Data-Schema', cap: 2, pas: 'Data-Schema' },
  { id: 5101, name: 'Data-Ingest', cap: 3, pas: 'Data-Loader' },
  { id: 5102, name: 'Data-Transform', cap: 2, pas: 'Data-Loader' },
  { id: 5301, name: 'Security-Auth', cap: 3, pas: 'Code-Impl' },
  { id: 6100, name: 'Model-Train', cap: 2, pas: null },
  { id: 6101, name: 'Model-Eval', cap: 3, pas: null },
  { id: 6200, name: 'Narrative', cap: 4, pas: 'Narrative' },
  { id: 7100, name: 'Graph-Ops', cap: 3, pas: 'Graph-Ops' },
  { id: 7200, name: 'Vector-Ops', cap: 4, pas: 'Vector-Ops' },
]

const DEFAULT_ID: Readonly<Record<PasLane, number>> = {
  'Code-Impl': 4200,
  'Code-API-Design': 4210,
  'Data-Schema': 5100,
  'Data-Loader': 5101,
  Narrative: 6200,
  'Graph-Ops': 7100,
  'Vector-Ops': 7200,
}
const SHORT: Readonly<Record<string, PasLane>> = {
  impl: 'Code-Impl',
  'api-design': 'Code-API-Design',
  docs: 'Narrative',
  code: 'Code-Impl',
  schema: 'Data-Schema',
  loader: 'Data-Loader',
}

export interface LaneChoice {
  readonly pas_lane: PasLane
  readonly plms_lane: number
}

/** By PAS name, PLMS name, number or short name, whatever the case; null when there is none. */
export function laneByName(text: string): LaneChoice | null {
  const wanted = text.trim().toLowerCase()
  const pas = (Object.keys(DEFAULT_ID) as PasLane[]).find((name) => name.toLowerCase() === wanted) ?? SHORT[wanted]
  if (pas) return { pas_lane: pas, plms_lane: DEFAULT_ID[pas] }
  const plms = PLMS_LANES.find((lane) => lane.name.toLowerCase() === wanted || String(lane.id) === wanted)
  // 6100 and 6101 have no PAS lane upstream; they run where data is loaded (policy.md section 3).
  return plms ? { pas_lane: plms.pas ?? 'Data-Loader', plms_lane: plms.id } : null
}

const KEYWORDS: readonly [pattern: RegExp, lane: PasLane][] = [
  [/\b(openapi|swagger|protobuf|api (design|description|contract|spec))\b/i, 'Code-API-Design'],
  [/\b(readme|docs?|documentation|changelog|narrative|guide|tutorial)\b/i, 'Narrative'],
  [/\b(migrations?|schema|sql|database|tables?|columns?)\b/i, 'Data-Schema'],
  [/\b(import|ingest|load(er)?|etl|csv)\b/i, 'Data-Loader'],
]

/** From the words of a title and the files it names; code when nothing says otherwise. */
export function inferLane(title: string, files: readonly string[]): LaneChoice {
  const byFile =
    files.length > 0 && files.every((file) => /\.(md|rst|txt|adoc)$/i.test(file))
      ? 'Narrative'
      : files.length > 0 && files.every((file) => /openapi|swagger|\.proto$/i.test(file))
        ? 'Code-API-Design'
        : null
  const lane = byFile ?? KEYWORDS.find(([pattern]) => pattern.test(title))?.[1] ?? 'Code-Impl'
  return { pas_lane: lane, plms_lane: DEFAULT_ID[lane] }
}

/** From the number of files and the words; a guess that `vp plan` shows. */
export function inferComplexity(title: string, files: readonly string[]): Complexity {
  if (files.length > 6 || /\b(rewrite|refactor|redesign|migrate)\b/i.test(title)) return 'complex'
  if (files.length > 2) return 'moderate'
  if (/\b(typo|rename|bump|comment)\b/i.test(title)) return 'trivial'
  return 'simple'
}
