package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
)

// The algorithms that a key can be configured with.
const (
	HS256 = "HS256"
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
)

// Key verifies tokens. Its algorithm is the configured one, whatever a token's header says.
type Key struct {
	ID        string
	Algorithm string
	verify    func(signed, signature []byte) bool
}

// NewSecretKey makes a key of HS256.
func NewSecretKey(id, secret string) (Key, error) {
	if len(secret) < 32 {
		return Key{}, errors.New("a secret has at least 32 bytes")
	}
	return Key{ID: id, Algorithm: HS256, verify: func(signed, signature []byte) bool {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(signed)
		return hmac.Equal(mac.Sum(nil), signature)
	}}, nil
}

// NewPublicKey makes a key of RS256, ES256 or EdDSA from a public key in PEM (SubjectPublicKeyInfo).
func NewPublicKey(id, algorithm, text string) (Key, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return Key{}, errors.New("not PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, err
	}
	key := Key{ID: id, Algorithm: algorithm}
	switch public := parsed.(type) {
	case *rsa.PublicKey:
		key.verify = func(signed, signature []byte) bool {
			sum := sha256.Sum256(signed)
			return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature) == nil
		}
		return key, demand(algorithm, RS256)
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return Key{}, errors.New("ES256 is of the curve P-256")
		}
		key.verify = func(signed, signature []byte) bool {
			if len(signature) != 64 {
				return false
			}
			sum := sha256.Sum256(signed)
			r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
			return ecdsa.Verify(public, sum[:], r, s)
		}
		return key, demand(algorithm, ES256)
	case ed25519.PublicKey:
		key.verify = func(signed, signature []byte) bool { return ed25519.Verify(public, signed, signature) }
		return key, demand(algorithm, EdDSA)
	default:
		return Key{}, fmt.Errorf("a public key of %T is not served", parsed)
	}
}

func demand(algorithm, ofKey string) error {
	if algorithm != ofKey {
		return fmt.Errorf("the key is of %s and configured for %s", ofKey, algorithm)
	}
	return nil
}
