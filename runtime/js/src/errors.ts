/** Errors a user of a bundle can expect and act on; each message says where, the value seen and what to do. */

/** Anything expected that can go wrong between a bundle and its answers. */
export class SasrecError extends Error {
  override readonly name: string = "SasrecError";
}

/** A bundle is missing, incomplete or not what its manifest says. */
export class BundleError extends SasrecError {
  override readonly name: string = "BundleError";
}

/** manifest.json is not JSON, misses a field, has an unknown one, or points outside the bundle. */
export class ManifestError extends BundleError {
  override readonly name: string = "ManifestError";
}

/** The bundle was written in a newer format than this reader knows. */
export class FormatVersionError extends ManifestError {
  override readonly name: string = "FormatVersionError";
}

/** A file's size or SHA-256 is not the one in the manifest. */
export class DigestError extends BundleError {
  override readonly name: string = "DigestError";
}

/** The bundle was replaced by another one while files of it were read, or before one of them was. */
export class BundleReplacedError extends BundleError {
  override readonly name: string = "BundleReplacedError";
}

/** The bundle has no variant of that name. */
export class VariantError extends SasrecError {
  override readonly name: string = "VariantError";
}

/** The library that runs a variant is not there, is older than the variant needs, or lacks what it needs. */
export class MissingRuntimeError extends SasrecError {
  override readonly name: string = "MissingRuntimeError";
}

/** A model file's inputs or outputs differ from the contract. */
export class SignatureError extends SasrecError {
  override readonly name: string = "SignatureError";
}

/** The engine failed while it ran a model. */
export class EngineError extends SasrecError {
  override readonly name: string = "EngineError";
}

/** A model answered what its contract rules out: an id outside the catalogue, an item twice, a score that is NaN. */
export class AnswerError extends SasrecError {
  override readonly name: string = "AnswerError";
}

/** A history holds something that is not an item. */
export class HistoryError extends SasrecError {
  override readonly name: string = "HistoryError";
}

/** An item key is not in the bundle's vocabulary. */
export class UnknownItemError extends HistoryError {
  override readonly name: string = "UnknownItemError";
}

/** A request cannot be answered: k is out of range, or there is nothing to score. */
export class RequestError extends SasrecError {
  override readonly name: string = "RequestError";
}
