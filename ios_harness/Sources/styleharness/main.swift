import Foundation

// The command line of the harness: `styleharness check ARTIFACT`, `styleharness bench ARTIFACT`.
exit(await CommandLineTool(arguments: Array(CommandLine.arguments.dropFirst())).run())
