// How figures are written; null is a figure that there is not.
const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
export const count = (number) => (number === null ? "–" : Math.abs(number) < 10000 ? plain.format(number) : short.format(number));
export const exact = (number) => (number === null ? "–" : plain.format(number));
export const tick = (number) => (number % 1 ? String(Number(number.toFixed(4))) : short.format(number));
export const money = (number) => {
  if (number === null) return "–";
  const digits = number === 0 || number >= 10 ? 2 : number >= 0.01 ? 3 : 5;
  return new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: digits }).format(number);
};
export const rate = (part) => (part === null ? "–" : `${Number((part * 100).toFixed(1))}%`);
export const percent = (number) => `${number}%`;
export const seconds = (number) => {
  if (number === null) return "–";
  return number < 1 ? `${Number((number * 1000).toPrecision(3))} ms` : `${Number(number.toPrecision(3))} s`;
};
