"""Generator of the phones' contract types: JSON Schemas under docs/ to Kotlin and Swift."""
