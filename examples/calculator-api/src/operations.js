/** What the calculator can do: a name and a function of two numbers. */
export const operations = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
}
