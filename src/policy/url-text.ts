/** Words as a URL parser reads them: it drops tabs and line breaks anywhere, and blanks at the ends. Source: WHATWG URL, basic URL parser. */

export function asUrlText(word: string): string {
  return word.replaceAll(/[\t\n\r]/g, '')
}

/** The first word that is code itself, or code from elsewhere; it may be the value of an option. */
export function codeUrl(words: readonly string[]): string | undefined {
  return words.find((word) => /(?:^|=)[\0- ]*(?:data|blob|https?):/i.test(asUrlText(word)))
}
