package org.styleexport.contract.facts

import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonReader
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * All facts of one artifact.
 *
 * @property network where the files came from.
 * @property files the exported graphs.
 * @property programs the float graphs they are checked against on a desktop.
 * @property probes golden inputs and outputs.
 * @property recipes how int8 files were made.
 * @property agreements of int8 files of several targets.
 * @property styles packed style codes.
 * @property tools name → version of what made the files.
 */
public data class Manifest(
    public val network: NetworkFact,
    public val files: List<FileFact>,
    public val programs: List<ProgramFact>,
    public val probes: List<ProbeFact>,
    public val recipes: List<RecipeFact>,
    public val agreements: List<AgreementFact>,
    public val styles: List<StylePackFact>,
    public val tools: Map<String, String>,
) {
    /** Path → sha256 of every file that the manifest speaks of. */
    public val knownPaths: Map<String, String>
        get() = files.associate { it.path to it.sha256 } +
            programs.associate { it.path to it.sha256 } +
            probes.associate { it.path to it.sha256 } +
            recipes.associate { it.path to it.sha256 } +
            styles.associate { it.path to it.sha256 }

    /** The probes of a file: of its role, at sizes that it takes. */
    public fun probesOf(file: FileFact): List<ProbeFact> =
        probes.filter { it.role == file.role && file.takes(it.size) }

    public companion object {
        /** Of the manifests that are read. */
        public const val SCHEMA_VERSION: Int = 4

        /** Of the file, in an artifact's folder. */
        public const val FILE_NAME: String = "manifest.json"

        private val read: Read<Manifest> = Fields.strict {
            it.required("schema_version", Readers.int(SCHEMA_VERSION, SCHEMA_VERSION))
            Manifest(
                network = it.required("network", NetworkFact.read),
                files = it.required("files", Readers.list(FileFact.read, least = 1)),
                programs = it.required("programs", Readers.list(ProgramFact.read)),
                probes = it.required("probes", Readers.list(ProbeFact.read)),
                recipes = it.optional("recipes", emptyList(), Readers.list(RecipeFact.read)),
                agreements = it.optional(
                    "agreements", emptyList(), Readers.list(AgreementFact.read),
                ),
                styles = it.required("styles", Readers.list(StylePackFact.read)),
                tools = it.required("tools", Readers.map(Readers.text)),
            )
        }

        /**
         * Return the manifest that some bytes hold.
         *
         * @throws ContractError it is not a manifest, or one of another schema version.
         */
        public fun read(bytes: ByteArray): Manifest {
            val value = JsonReader.read(bytes)
            SchemaVersion.check(value, SCHEMA_VERSION, "export the network again")
            return read(value, ContractError.WHOLE)
        }
    }
}
