import type { DescEnum } from "@bufbuild/protobuf";

/** The full name of an enum value given with or without the enum's prefix; undefined if there is none. */
export function enumValueName(desc: DescEnum, name: string): string | undefined {
  const upper = name.toUpperCase();
  const found = desc.values.find((value) => value.name === upper || shortEnumName(desc, value.name) === upper);
  return found?.name;
}

/** The name without the enum's prefix, as people write it. */
export function shortEnumName(desc: DescEnum, name: string): string {
  const prefix = (desc.sharedPrefix ?? "").toUpperCase();
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** All short names, but that of the unspecified value. */
export function shortEnumNames(desc: DescEnum): string[] {
  return desc.values.filter(({ number }) => number !== 0).map((value) => shortEnumName(desc, value.name));
}
