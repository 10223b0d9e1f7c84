"""Tools of the repository that are in no package: generators, and checks of the apps."""
