package org.styleexport.contract.facts

/** File name of the manifest in an artifact's folder. */
public const val MANIFEST_NAME: String = "manifest.json"

/** Path → sha256 of every file that the manifest lists. */
public val Manifest.knownPaths: Map<String, String>
    get() = files.associate { it.path to it.sha256 } +
        programs.associate { it.path to it.sha256 } +
        probes.associate { it.path to it.sha256 } +
        recipes.associate { it.path to it.sha256 } +
        styles.associate { it.path to it.sha256 } +
        styles.flatMap(StylePackFact::thumbnails).associate { it.path to it.sha256 }

/** Style → path of its thumbnail; of packs with a style of one name the last counts. */
public val Manifest.thumbnails: Map<String, String>
    get() = styles.fold(emptyMap()) { paths, pack ->
        val own = pack.thumbnails.filter { it.style in pack.names }
        paths - pack.names.toSet() + own.associate { it.style to it.path }
    }

/** Number of values of a style code. */
public val CodeLayoutFact.length: Double
    get() = parts.sumOf { it.shape.fold(1.0) { product, side -> product * side } }

/** Whether codes blend, and the reason, in words; null where they blend exactly. */
public val CodeLayoutFact.blendingNote: String?
    get() = when (blending) {
        Blending.EXACT -> null
        Blending.APPROXIMATE -> "Codes blend approximately: $reason"
        Blending.NONE -> "Codes cannot be blended: $reason"
    }

/** Number of values of a style code of a file; null where it takes and gives none. */
public val FileFact.codeLength: Int?
    get() = (inputs + outputs).firstOrNull { it.kind == TensorKind.STYLE_CODE }?.shape?.lastOrNull()

/** Whether the file is a pass over tiles, which by itself paints nothing and has no probe. */
public val FileFact.isPass: Boolean get() = role == Role.FEATURES || role == Role.RENDER

/** Return the probes of a file: those of its role, at sizes that it accepts. */
public fun Manifest.probesOf(file: FileFact): List<ProbeFact> =
    if (file.isPass) emptyList() else probes.filter { it.role == file.role && file.takes(it.size) }

/** Return how files of the target and precision of a painting file paint in tiles, if they do. */
public fun Manifest.tilingOf(file: FileFact): TilingFact? = tilings.firstOrNull {
    it.target == file.target && it.precision == file.precision && it.role == file.role
}

/** Return an exported file as a report identifies it. */
public fun Manifest.subjectOf(file: FileFact): SubjectFact = SubjectFact(
    network = network.name,
    sourceSha256 = network.sourceSha256,
    path = file.path,
    sha256 = file.sha256,
    target = file.target,
    precision = file.precision,
    role = file.role,
    sizeBytes = file.sizeBytes,
    parameters = file.parameters,
    macs = file.macs,
    int8MacShare = file.int8MacShare,
    qualityDb = file.quality?.psnrDb,
    styleChange = file.quality?.styleChange,
)

/** File extension with its dot. */
public val FileFact.suffix: String get() = "." + path.substringAfterLast('.', "")

/** Minimum PSNR on a probe, in dB, over the runners that the export was checked on. */
public val FileFact.allowedDb: Double get() = parity.minOf(ParityFact::allowedDb)

/** Sizes that the file was exported for; empty where it accepts any. */
public val FileFact.fixedSizes: List<SizeFact> get() = sizes.ifEmpty { listOfNotNull(size) }

/** Whether the file accepts images of a size. */
public fun FileFact.takes(imageSize: SizeFact): Boolean =
    if (sizes.isNotEmpty()) imageSize in sizes else size == null || size == imageSize

/** Whether the file may be used; a PSNR that is not a number fails. */
public val ParityFact.passed: Boolean get() = measuredDb >= allowedDb

/** Height times width. */
public val SizeFact.pixels: Long get() = height.toLong() * width

/** Bytes of one element. */
public val ElementType.bytes: Int
    get() = when (this) {
        ElementType.FLOAT32 -> 4
        ElementType.FLOAT16 -> 2
        ElementType.UINT8 -> 1
    }
