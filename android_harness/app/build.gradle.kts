import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "org.styleexport.harness"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        applicationId = "org.styleexport.harness"
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.targetSdk.get().toInt()
        versionCode = 1
        versionName = "0.1.0"
        ndk {
            abiFilters += listOf("arm64-v8a", "x86_64")
        }
    }

    buildTypes {
        release {
            // Both runtimes are called from native code by name.
            isMinifyEnabled = false
            // What is measured has to be a release build; it is published nowhere, so the key that
            // every Android Studio has will do.
            signingConfig = signingConfigs.getByName("debug")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    // Files of artifacts are read as streams; probes and weights hardly shrink.
    androidResources {
        noCompress += listOf("onnx", "tflite", "safetensors")
    }
}

kotlin {
    compilerOptions {
        jvmTarget.set(JvmTarget.JVM_1_8)
    }
}

dependencies {
    implementation(project(":contract"))
    // Google Play's libraries are for models that an app downloads; this one has no network.
    implementation(libs.litert) { exclude(group = "com.google.android.play") }
    // The GPU library, which CompiledModel loads by name.
    implementation(libs.litert.gpu) { exclude(group = "com.google.android.play") }
    implementation(libs.onnxruntime)
}
