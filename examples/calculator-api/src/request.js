/** Reads the body of a calculation. */
export function parseCalculation(body) {
  const { operation, a, b } = JSON.parse(body)
  return { operation, a, b }
}
