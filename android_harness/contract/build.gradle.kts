import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    explicitApi()
    compilerOptions {
        jvmTarget.set(JvmTarget.JVM_1_8)
        allWarningsAsErrors.set(true)
    }
}

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

dependencies {
    implementation(libs.gson)
    testImplementation(libs.junit)
    testImplementation(libs.kotlin.test.junit)
}

tasks.test {
    // Every language reads the same fixtures, so a changed fixture must rerun the tests.
    val fixtures = rootDir.resolve("../tests/contract")
    inputs.dir(fixtures)
    systemProperty("contract.fixtures", fixtures.path)
    // Reports that the languages of the contract write for one another.
    environment("STYLEEXPORT_CONTRACT_EXCHANGE", rootDir.resolve("../build/contract-exchange").path)
}
