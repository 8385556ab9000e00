package cmd

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/turnomatico/tmctl/server"
)

// reloadOnHangup has s read its certificate anew at each SIGHUP, until the function returned is called.
func reloadOnHangup(s *server.Server, log *slog.Logger) (end func()) {
	hangups := make(chan os.Signal, 1) // one that waits stands for all that follow
	signal.Notify(hangups, syscall.SIGHUP)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-hangups:
				if err := s.LoadCertificate(); err != nil {
					log.Error("the new certificate is refused, the old one stays", "err", err, "hint", certificateAdvice(err))
				}
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(stop)
		<-ended
	}
}

// certificateHint says what to do about a certificate that can't be used.
func certificateHint(err error) error {
	var e *server.CertificateError
	if !errors.As(err, &e) {
		return err
	}
	return withHint(err, certificateAdvice(err))
}

func certificateAdvice(err error) string {
	var e *server.CertificateError
	errors.As(err, &e) // LoadCertificate returns no other
	switch said := err.Error(); {
	case errors.Is(err, fs.ErrNotExist):
		return "--tls-cert and --tls-key are paths of files in PEM, as this process sees them"
	case errors.Is(err, fs.ErrPermission):
		return "let the user that runs tmctl read it (chgrp, chmod 640), and nobody else read the key"
	case strings.Contains(said, "does not match"):
		return "the two are not of one pair; these print the same if they are: openssl x509 -pubkey -noout -in " + e.Cert + "; openssl pkey -pubout -in " + e.Key
	case strings.Contains(said, "switched"), strings.Contains(said, "found a certificate rather than a key"):
		return "--tls-cert is the certificate, --tls-key its key"
	case strings.Contains(said, "private key"):
		return "the key is read without a password: openssl pkey -in " + e.Key + " -out FILE removes one"
	case strings.Contains(said, "the one in use is valid"):
		return "date, and openssl x509 -noout -dates -in " + e.Cert
	default:
		return "a file in PEM begins with -----BEGIN CERTIFICATE----- or -----BEGIN PRIVATE KEY-----"
	}
}
