/** A name as a part of a sentence: without the signs that would turn the direction of the rest. */
export const inSentence = (name: string): string => name.replace(/\p{Bidi_Control}/gu, '');
