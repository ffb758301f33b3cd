/** A command line as a shell would split it: blanks, and double quotes around words. Tests only. */
export const asLooseLines = (line: string): string[] => [...line.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) => word.replaceAll('"', ""));
