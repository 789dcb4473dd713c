/** How the files of a set are called in a directory that a program keeps fresh. */
export interface DirectoryLayout {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** Of spiffe-helper (its example configuration), and of Kubernetes Secrets of type `kubernetes.io/tls` and cert-manager. */
export const DIRECTORY_LAYOUTS: readonly DirectoryLayout[] = [
  { cert: 'svid.pem', key: 'svid_key.pem', ca: 'svid_bundle.pem' },
  { cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' },
];

/** The layout whose certificate or key is there, or why it cannot be told, after the name of the directory. */
export function recogniseLayout(names: readonly string[]): DirectoryLayout | string {
  const found = DIRECTORY_LAYOUTS.filter(({ cert, key }) => names.includes(cert) || names.includes(key));
  const [layout, ...others] = found;
  if (layout === undefined)
    return `holds no credentials: looked for ${DIRECTORY_LAYOUTS.map(namesOf).join(', and for ')}`;
  if (others.length > 0)
    return `holds two sets of credentials, and which one is meant cannot be told: ${found.map(namesOf).join(', and ')}`;
  return layout;
}

function namesOf({ cert, key, ca }: DirectoryLayout): string {
  return `${cert} with ${key} and ${ca}`;
}
