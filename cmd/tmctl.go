// Package cmd holds tmctl's commands (cobra's cmd, not Go's cmd/<binary>): each turns flags into one domain call and its
// outcome into an exit code. Start with [Main], then root.go for the list.
package cmd

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs tmctl and returns its exit code. The first ^C or SIGTERM asks the command to stop; a second one forces.
func Main() int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan int, 1)
	env := osEnv()
	cobra.EnableCommandSorting = false // help lists commands in newRoot's order
	go func() { done <- run(ctx, env, env.Args[1:]) }()
	for asked := false; ; asked = true {
		select {
		case code := <-done:
			return code
		case <-signals:
			if asked {
				return exitInterrupted
			}
			stop()
		}
	}
}

// run executes one command line; tests call it with an Env of their own.
func run(ctx context.Context, env *Env, args []string) int {
	root := newRoot(env)
	root.SetArgs(args)
	return fail(env.Err, root.ExecuteContext(ctx))
}
