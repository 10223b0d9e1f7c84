pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode.set(RepositoriesMode.FAIL_ON_PROJECT_REPOS)
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "styleexport-android"
include(":contract", ":app")

check(JavaVersion.current().isCompatibleWith(JavaVersion.VERSION_17)) {
    """
    This project needs JDK 17 or newer, and Gradle runs with Java ${JavaVersion.current()}.
    In Android Studio: Settings > Build, Execution, Deployment > Build Tools > Gradle > Gradle JDK.
    In a terminal: export JAVA_HOME to a JDK 17, for example that of Android Studio (jbr/).
    """.trimIndent()
}
