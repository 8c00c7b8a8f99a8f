internal import ArgumentParser

@main
struct EdgeAgentCommand: ParsableCommand {}
