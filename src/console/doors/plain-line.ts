/** Tells whether a line is one plain command, and splits it as bash would. Anything that needs a shell gives undefined and goes to a real one. Pure. */

/** Outside quotes these mean something to bash: lists, pipes, redirections, expansions, globs, comments, history. */
const SPECIAL = /[|&;<>()$`\n\\*?[\]#~!{}]/;
const SPECIAL_IN_DOUBLE = /[$`\\!]/;

export function plainWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (char === "'") {
      const end = line.indexOf("'", at + 1);
      if (end < 0) return undefined;
      word = (word ?? "") + line.slice(at + 1, end);
      at = end;
    } else if (char === '"') {
      let text = "";
      for (at++; at < line.length && line[at] !== '"'; at++) {
        if (line[at] === "\\" && (line[at + 1] === '"' || line[at + 1] === "\\")) text += line[++at]!;
        else if (SPECIAL_IN_DOUBLE.test(line[at]!)) return undefined;
        else text += line[at]!;
      }
      if (at >= line.length) return undefined;
      word = (word ?? "") + text;
    } else if (char === "\\" && at + 1 < line.length && line[at + 1] !== "\n") {
      word = (word ?? "") + line[++at]!;
    } else if (char === " " || char === "\t") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (SPECIAL.test(char)) return undefined;
    else word = (word ?? "") + char;
  }
  if (word !== undefined) words.push(word);
  // `LANG=C command`: an assignment in front is the shell's.
  return words[0] === undefined || words[0].includes("=") ? undefined : words;
}
